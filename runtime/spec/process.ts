/** The `process` object, of config.json and of `exec --process`. @see runtime-spec v1.3 config.md#process */
import { isCapability } from './capabilities.ts'
import { type ObjectReader, UINT16, UINT64 } from './reader.ts'
import {
  type Capability,
  type CapabilitySets,
  IO_PRIORITY_CLASSES,
  type IoPriority,
  type ProcessSpec,
  type Rlimit,
  RLIMIT_NUMBERS,
  SCHEDULER_FLAGS,
  SCHEDULER_POLICIES,
  type Scheduler,
  type UserSpec,
} from './types.ts'

/** (uid_t)-1 means "leave unchanged" to the kernel and is nobody's id. */
export const ID_RANGE = { min: 0, max: 0xffff_fffe } as const

export function parseProcess(reader: ObjectReader): ProcessSpec {
  const args = reader.strings('args')
  if (args.length === 0) reader.fail('args', 'at least one argument')
  const consoleSize = reader.optionalObject('consoleSize')
  return {
    terminal: reader.boolean('terminal'),
    consoleSize:
      consoleSize === undefined
        ? undefined
        : {
            height: consoleSize.integer('height', UINT16),
            width: consoleSize.integer('width', UINT16),
          },
    user: parseUser(reader.optionalObject('user')),
    args,
    env: parseEnv(reader),
    cwd: reader.absolutePath('cwd'),
    capabilities: parseCapabilities(reader.optionalObject('capabilities')),
    rlimits: parseRlimits(reader),
    noNewPrivileges: reader.boolean('noNewPrivileges'),
    apparmorProfile: reader.nonEmptyString('apparmorProfile'),
    selinuxLabel: reader.nonEmptyString('selinuxLabel'),
    oomScoreAdj: reader.optionalInteger('oomScoreAdj', { min: -1000, max: 1000 }),
    scheduler: parseScheduler(reader.optionalObject('scheduler')),
    ioPriority: parseIoPriority(reader.optionalObject('ioPriority')),
    execCpuAffinity: parseCpuAffinity(reader.optionalObject('execCPUAffinity')),
  }
}

function parseUser(reader: ObjectReader | undefined): UserSpec {
  if (reader === undefined) return { uid: 0, gid: 0, additionalGids: [] }
  return {
    uid: reader.optionalInteger('uid', ID_RANGE) ?? 0,
    gid: reader.optionalInteger('gid', ID_RANGE) ?? 0,
    umask: reader.optionalInteger('umask', { min: 0, max: 0o777 }),
    additionalGids: reader.integers('additionalGids', ID_RANGE),
  }
}

function parseEnv(reader: ObjectReader): readonly string[] {
  const env = reader.strings('env')
  const wrong = env.findIndex((variable) => variable.indexOf('=') < 1)
  if (wrong >= 0) reader.fail(`env/${wrong}`, 'NAME=value', JSON.stringify(env[wrong]))
  return env
}

/** @see security.md S-11: what is left out is the empty set, never what the runtime has */
function parseCapabilities(reader: ObjectReader | undefined): CapabilitySets {
  return {
    bounding: parseCapabilitySet(reader, 'bounding'),
    effective: parseCapabilitySet(reader, 'effective'),
    inheritable: parseCapabilitySet(reader, 'inheritable'),
    permitted: parseCapabilitySet(reader, 'permitted'),
    ambient: parseCapabilitySet(reader, 'ambient'),
  }
}

/** A capability we do not know cannot be granted; leaving it out grants less, so it is a warning, as in runc. */
function parseCapabilitySet(reader: ObjectReader | undefined, key: string): readonly Capability[] {
  if (reader === undefined) return []
  const names = reader.strings(key)
  return names.filter((name, index): name is Capability => {
    if (isCapability(name)) return true
    reader.warn(`${key}/${index}`, `unknown capability ${JSON.stringify(name)} ignored`)
    return false
  })
}

function parseRlimits(reader: ObjectReader): readonly Rlimit[] {
  const rlimits = reader.objects('rlimits', (item): Rlimit => {
    const type = item.name('type', RLIMIT_NUMBERS)
    const soft = item.bigint('soft', UINT64)
    const hard = item.bigint('hard', UINT64)
    if (soft > hard) item.fail('soft', `at most the hard limit ${hard}`)
    return { type, soft, hard }
  })
  const seen = new Set<string>()
  for (const [index, { type }] of rlimits.entries()) {
    if (seen.has(type)) reader.fail(`rlimits/${index}/type`, 'each limit once', `${type} again`)
    seen.add(type)
  }
  return rlimits
}

function parseScheduler(reader: ObjectReader | undefined): Scheduler | undefined {
  if (reader === undefined) return undefined
  return {
    policy: reader.name('policy', SCHEDULER_POLICIES),
    nice: reader.optionalInteger('nice', { min: -20, max: 19 }) ?? 0,
    priority: reader.optionalInteger('priority', { min: 0, max: 99 }) ?? 0,
    flags: reader.names('flags', SCHEDULER_FLAGS),
    runtimeNs: reader.optionalBigInt('runtime', UINT64) ?? 0n,
    deadlineNs: reader.optionalBigInt('deadline', UINT64) ?? 0n,
    periodNs: reader.optionalBigInt('period', UINT64) ?? 0n,
  }
}

function parseIoPriority(reader: ObjectReader | undefined): IoPriority | undefined {
  if (reader === undefined) return undefined
  return {
    class: reader.name('class', IO_PRIORITY_CLASSES),
    priority: reader.optionalInteger('priority', { min: 0, max: 7 }) ?? 0,
  }
}

function parseCpuAffinity(reader: ObjectReader | undefined): ProcessSpec['execCpuAffinity'] {
  if (reader === undefined) return undefined
  return { initial: parseCpuList(reader, 'initial'), final: parseCpuList(reader, 'final') }
}

/** @see cpuset(7), list format */
export function parseCpuList(reader: ObjectReader, key: string): string | undefined {
  const list = reader.nonEmptyString(key)
  if (list !== undefined && !/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(list.trim())) {
    reader.fail(key, 'a list like 0-3,7')
  }
  return list?.trim()
}
