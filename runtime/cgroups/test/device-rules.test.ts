import assert from 'node:assert/strict'
import type { DeviceAccess, DeviceRule } from '../../spec/types.ts'
import { compileDeviceProgram } from '../device-program.ts'
import { deviceListOf, formatException, withStandardDevices } from '../device-rules.ts'
import { deviceWritesV1 } from '../limits-v1.ts'

interface Request {
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  readonly access: DeviceAccess
}

const ACCESS_KINDS = ['read', 'write', 'mknod'] as const

/** The meaning of a rule list: each kind of access is decided by the last rule that speaks of it, else denied. */
function isAllowed(rules: readonly DeviceRule[], request: Request): boolean {
  return ACCESS_KINDS.filter((kind) => request.access[kind]).every((kind) => {
    const last = rules.findLast(
      (rule) =>
        rule.access[kind] &&
        (rule.type === 'a' || rule.type === request.type) &&
        (rule.major ?? request.major) === request.major &&
        (rule.minor ?? request.minor) === request.minor,
    )
    return last?.allow ?? false
  })
}

/** As the kernel evaluates a v1 list for one kind of access (security/device_cgroup.c). */
function isAllowedByList(rules: readonly DeviceRule[], request: Request): boolean {
  const { defaultAllow, exceptions } = deviceListOf(rules)
  const kinds = ACCESS_KINDS.filter((kind) => request.access[kind])
  const isExcepted = exceptions.some(
    ({ type, major, minor, access }) =>
      type === request.type &&
      (major ?? request.major) === request.major &&
      (minor ?? request.minor) === request.minor &&
      kinds.every((kind) => access[kind]),
  )
  return isExcepted !== defaultAllow
}

/** Runs the program the way the kernel's interpreter does, for the instructions device programs use. */
function runProgram(program: Uint8Array, request: Request): boolean {
  const view = new DataView(program.buffer)
  const bits =
    (request.access.mknod ? 1 : 0) | (request.access.read ? 2 : 0) | (request.access.write ? 4 : 0)
  const context = [(bits << 16) | (request.type === 'b' ? 1 : 2), request.major, request.minor]
  const registers = new Uint32Array(11)
  const get = (register: number): number => registers[register] ?? 0
  for (let at = 0; at * 8 < program.length; at += 1) {
    const registerByte = view.getUint8(at * 8 + 1)
    const destination = registerByte & 0xf
    const source = registerByte >> 4
    const offset = view.getInt16(at * 8 + 2, true)
    const immediate = view.getInt32(at * 8 + 4, true)
    switch (view.getUint8(at * 8)) {
      case 0x61:
        registers[destination] = context[offset / 4] ?? 0
        break
      case 0xb4:
        registers[destination] = immediate
        break
      case 0xbc:
        registers[destination] = get(source)
        break
      case 0x54:
        registers[destination] = get(destination) & immediate
        break
      case 0x74:
        registers[destination] = get(destination) >>> immediate
        break
      case 0x05:
        at += offset
        break
      case 0x56:
        at += get(destination) === immediate >>> 0 ? 0 : offset
        break
      case 0x46:
        at += (get(destination) & immediate) === 0 ? 0 : offset
        break
      case 0x95:
        return get(0) === 1
      default:
        throw new Error(`unknown opcode at ${String(at)}`)
    }
  }
  throw new Error('ran past the end')
}

/** A small deterministic generator, so that a failure can be repeated. */
function randomSource(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function randomAccess(random: (below: number) => number): DeviceAccess {
  const bits = 1 + random(7)
  return { read: (bits & 1) !== 0, write: (bits & 2) !== 0, mknod: (bits & 4) !== 0 }
}

function randomRule(random: (below: number) => number): DeviceRule {
  const number = (): number | undefined => [undefined, 1, 2][random(3)]
  const isTotal = random(8) === 0
  return {
    allow: random(2) === 0,
    type: isTotal ? 'a' : ((['a', 'b', 'c'] as const)[random(3)] ?? 'a'),
    major: isTotal ? undefined : number(),
    minor: isTotal ? undefined : number(),
    access: isTotal ? { read: true, write: true, mknod: true } : randomAccess(random),
  }
}

const REQUESTS: readonly Request[] = (['b', 'c'] as const).flatMap((type) =>
  [1, 2, 3].flatMap((major) =>
    [1, 2, 3].flatMap((minor) =>
      [1, 2, 3, 4, 5, 6, 7].map((bits) => ({
        type,
        major,
        minor,
        access: { read: (bits & 1) !== 0, write: (bits & 2) !== 0, mknod: (bits & 4) !== 0 },
      })),
    ),
  ),
)

const ROUNDS = 300

/** The machine may be busy: this bounds a hang, not the speed. */
const TIMEOUT_MS = 60_000

describe('compileDeviceProgram', () => {
  it('decides like the rule list, for random lists', function () {
    this.timeout(TIMEOUT_MS)
    const random = randomSource(1)
    for (let round = 0; round < ROUNDS; round += 1) {
      const rules = Array.from({ length: random(9) }, () => randomRule(random))
      const program = compileDeviceProgram(rules)
      for (const request of REQUESTS) {
        assert.equal(
          runProgram(program, request),
          isAllowed(rules, request),
          JSON.stringify({ rules, request }),
        )
      }
    }
  })

  it('compares numbers above 2^31', () => {
    const major = 0xffff_fffe
    const access = { read: true, write: false, mknod: false }
    const program = compileDeviceProgram([{ allow: true, type: 'c', major, access }])
    assert.equal(runProgram(program, { type: 'c', major, minor: 0, access }), true)
    assert.equal(runProgram(program, { type: 'c', major: 1, minor: 0, access }), false)
  })
})

describe('deviceListOf', () => {
  it('decides like the rule list or refuses it, for random lists', function () {
    this.timeout(TIMEOUT_MS)
    const random = randomSource(2)
    const singles = REQUESTS.filter(
      ({ access }) => ACCESS_KINDS.filter((kind) => access[kind]).length === 1,
    )
    let compared = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const rules = Array.from({ length: random(5) }, () => randomRule(random))
      try {
        deviceListOf(rules)
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'failedPrecondition')
        continue
      }
      compared += 1
      for (const request of singles) {
        assert.equal(
          isAllowedByList(rules, request),
          isAllowed(rules, request),
          JSON.stringify({ rules, request }),
        )
      }
    }
    assert.ok(compared > ROUNDS / 4, `${String(compared)} lists compared`)
  })

  it('refuses an exception from a wildcard', () => {
    const all = { read: true, write: true, mknod: true }
    assert.throws(
      () =>
        deviceListOf([
          { allow: true, type: 'c', major: 1, access: all },
          { allow: false, type: 'c', major: 1, minor: 3, access: all },
        ]),
      /set device rules c 1:3 rwm: found c 1:\* rwm before it/,
    )
  })
})

describe('runtime-spec config-linux.md#allowed-device-list', () => {
  const open = { read: true, write: true, mknod: false }

  for (const rules of [undefined, []]) {
    it(`allows only the standard devices when the list is ${rules === undefined ? 'left out' : 'empty'} (S-07)`, () => {
      const all = withStandardDevices(rules)
      assert.equal(isAllowed(all, { type: 'b', major: 8, minor: 0, access: open }), false)
      assert.equal(isAllowed(all, { type: 'c', major: 1, minor: 3, access: open }), true)
      assert.equal(isAllowed(all, { type: 'c', major: 1, minor: 1, access: open }), false)
      assert.deepEqual(deviceWritesV1(rules)[0], {
        controller: 'devices',
        file: 'devices.deny',
        value: 'a',
      })
    })
  }

  it('denies all before the first allow', () => {
    const rule: DeviceRule = { allow: true, type: 'c', major: 10, minor: 200, access: open }
    const writes = deviceWritesV1([rule]).map(({ file, value }) => `${file} ${value}`)
    assert.deepEqual(writes.slice(0, 2), ['devices.deny a', 'devices.allow c 10:200 rw'])
  })

  it('allows all when that is the rule', () => {
    const rule: DeviceRule = {
      allow: true,
      type: 'a',
      access: { read: true, write: true, mknod: true },
    }
    assert.deepEqual(deviceWritesV1([rule]), [
      { controller: 'devices', file: 'devices.allow', value: 'a' },
    ])
  })
})

describe('formatException', () => {
  it('writes wildcards as *', () => {
    const access = { read: true, write: false, mknod: true }
    assert.equal(formatException({ type: 'c', major: 136, access }), 'c 136:* rm')
  })
})
