import assert from 'node:assert/strict'
import { defaultSpec } from '../default-spec.ts'
import { parseProcessDocument, parseResourcesDocument, parseSpec } from '../parse.ts'
import { refuseUnsupported } from '../unsupported.ts'

interface Document {
  ociVersion?: unknown
  root?: unknown
  process: Record<string, unknown>
  mounts: unknown
  hooks?: unknown
  annotations?: unknown
  hostname?: unknown
  linux: Record<string, unknown>
}

/** The default document, changed. */
function documentWith(change: (document: Document) => void): string {
  const document = JSON.parse(
    JSON.stringify(defaultSpec({ isCgroupV2: false })),
  ) as unknown as Document
  change(document)
  return JSON.stringify(document)
}

function specWith(change: (document: Document) => void) {
  return parseSpec(documentWith(change)).value
}

describe('parseSpec', () => {
  it('reads the default document', () => {
    const { value, warnings } = parseSpec(documentWith(() => undefined))
    assert.deepEqual(warnings, [])
    assert.equal(value.process.rlimits[0]?.hard, 1024n)
    assert.deepEqual(value.process.capabilities.inheritable, [])
    assert.deepEqual(
      value.linux.namespaces.map(({ type }) => type),
      ['pid', 'network', 'ipc', 'uts', 'mount'],
    )
    assert.equal(value.mounts.length, 7)
    assert.deepEqual(value.linux.resources.devices, [
      {
        allow: false,
        type: 'a',
        major: undefined,
        minor: undefined,
        access: { read: true, write: true, mknod: true },
      },
    ])
  })

  it('ignores members it does not know, and takes null as left out', () => {
    const spec = specWith((document) => {
      Object.assign(document, { vm: {}, hostname: null })
      document.linux['seccomp'] = null
    })
    assert.equal(spec.hostname, undefined)
    assert.equal(spec.linux.seccomp, undefined)
  })

  it('ignores an unknown capability with a warning', () => {
    const { value, warnings } = parseSpec(
      documentWith(({ process }) => {
        process['capabilities'] = { bounding: ['CAP_KILL', 'CAP_FLY'] }
      }),
    )
    assert.deepEqual(value.process.capabilities.bounding, ['CAP_KILL'])
    assert.match(
      warnings.join(),
      /\/process\/capabilities\/bounding\/1: unknown capability "CAP_FLY"/,
    )
  })

  it('gives no capability when the object is left out (S-11)', () => {
    const { capabilities } = specWith(({ process }) => {
      delete process['capabilities']
    }).process
    assert.deepEqual(new Set(Object.values(capabilities).flat()), new Set())
  })

  it('keeps 64-bit numbers exactly', () => {
    const text = documentWith(({ process, linux }) => {
      process['rlimits'] = [{ type: 'RLIMIT_CORE', soft: 1, hard: 'HARD' }]
      linux['resources'] = { memory: { limit: 'LIMIT', swap: -1 } }
    })
      .replace('"HARD"', '18446744073709551615')
      .replace('"LIMIT"', '9223372036854775807')
    const spec = parseSpec(text).value
    assert.equal(spec.process.rlimits[0]?.hard, 2n ** 64n - 1n)
    assert.equal(spec.linux.resources.memory?.limit, 2n ** 63n - 1n)
    assert.equal(spec.linux.resources.memory.swap, -1n)
  })

  const WRONG: readonly (readonly [string, string, (document: Document) => void])[] = [
    ['/ociVersion', 'nothing', (d) => delete d.ociVersion],
    ['/ociVersion', '"2.0.0"', (d) => (d.ociVersion = '2.0.0')],
    ['/ociVersion', 'number 1', (d) => (d.ociVersion = 1)],
    ['/root', 'nothing', (d) => delete d.root],
    ['/root', '"rootfs"', (d) => (d.root = 'rootfs')],
    ['/root/path', '""', (d) => (d.root = { path: '' })],
    ['/root/readonly', '"yes"', (d) => (d.root = { path: 'x', readonly: 'yes' })],
    ['/process/args', 'an empty array', (d) => (d.process['args'] = [])],
    ['/process/args', 'nothing', (d) => delete d.process['args']],
    ['/process/args/0', 'number 5', (d) => (d.process['args'] = [5])],
    ['/process/args/0', '"a\\u0000b"', (d) => (d.process['args'] = ['a\0b'])],
    ['/process/cwd', '"tmp"', (d) => (d.process['cwd'] = 'tmp')],
    ['/process/env/1', '"=x"', (d) => (d.process['env'] = ['A=', '=x'])],
    ['/process/user/uid', 'number -1', (d) => (d.process['user'] = { uid: -1 })],
    ['/process/user/uid', 'number 4294967295', (d) => (d.process['user'] = { uid: 0xffffffff })],
    ['/process/user/uid', '"0"', (d) => (d.process['user'] = { uid: '0' })],
    ['/process/user/gid', 'number 1.5', (d) => (d.process['user'] = { gid: 1.5 })],
    ['/process/user/umask', 'number 512', (d) => (d.process['user'] = { umask: 0o1000 })],
    [
      '/process/rlimits/0/type',
      '"RLIMIT_FOO"',
      (d) => (d.process['rlimits'] = [{ type: 'RLIMIT_FOO', soft: 1, hard: 1 }]),
    ],
    [
      '/process/rlimits/0/soft',
      'number 2',
      (d) => (d.process['rlimits'] = [{ type: 'RLIMIT_CPU', soft: 2, hard: 1 }]),
    ],
    [
      '/process/rlimits/1/type',
      'RLIMIT_CPU again',
      (d) =>
        (d.process['rlimits'] = Array(2).fill({
          type: 'RLIMIT_CPU',
          soft: 1,
          hard: 1,
        }) as unknown[]),
    ],
    ['/process/oomScoreAdj', 'number 1001', (d) => (d.process['oomScoreAdj'] = 1001)],
    ['/mounts', 'an object', (d) => (d.mounts = {})],
    ['/mounts/0', '"proc"', (d) => (d.mounts = ['proc'])],
    ['/mounts/0/destination', 'nothing', (d) => (d.mounts = [{ type: 'proc' }])],
    [
      '/mounts/0/options/0',
      'true',
      (d) => (d.mounts = [{ destination: '/proc', options: [true] }]),
    ],
    ['/hooks/poststop/0/path', '"x"', (d) => (d.hooks = { poststop: [{ path: 'x' }] })],
    [
      '/hooks/prestart/0/timeout',
      'number 0',
      (d) => (d.hooks = { prestart: [{ path: '/x', timeout: 0 }] }),
    ],
    ['/annotations/a~1b', 'number 1', (d) => (d.annotations = { 'a/b': 1 })],
    ['/linux/namespaces/0/type', '"pod"', (d) => (d.linux['namespaces'] = [{ type: 'pod' }])],
    [
      '/linux/namespaces/1/type',
      'pid again',
      (d) => (d.linux['namespaces'] = [{ type: 'pid' }, { type: 'pid' }]),
    ],
    [
      '/linux/namespaces/0/path',
      '"proc"',
      (d) => (d.linux['namespaces'] = [{ type: 'pid', path: 'proc' }]),
    ],
    [
      '/linux/uidMappings',
      'nothing',
      (d) => (d.linux['namespaces'] = [{ type: 'user' }, { type: 'uts' }, { type: 'mount' }]),
    ],
    [
      '/hostname',
      'no such namespace in /linux/namespaces',
      (d) => (d.linux['namespaces'] = [{ type: 'mount' }]),
    ],
    [
      '/linux/sysctl/kernel.panic',
      'a parameter of the whole machine',
      (d) => (d.linux['sysctl'] = { 'kernel.panic': '1' }),
    ],
    [
      '/linux/sysctl/net...~1passwd',
      '"net.../passwd"',
      (d) => (d.linux['sysctl'] = { 'net.../passwd': '1' }),
    ],
    ['/linux/maskedPaths/0', '"x"', (d) => (d.linux['maskedPaths'] = ['x'])],
    ['/linux/devices/0/type', '"x"', (d) => (d.linux['devices'] = [{ type: 'x', path: '/x' }])],
    [
      '/linux/resources/devices/0/access',
      '"q"',
      (d) => (d.linux['resources'] = { devices: [{ access: 'q' }] }),
    ],
    [
      '/linux/resources/unified',
      '"../x.y"',
      (d) => (d.linux['resources'] = { unified: { '../x.y': '1' } }),
    ],
    [
      '/linux/resources/pids/limit',
      '"many"',
      (d) => (d.linux['resources'] = { pids: { limit: 'many' } }),
    ],
    [
      '/linux/seccomp/defaultAction',
      '"DENY"',
      (d) => (d.linux['seccomp'] = { defaultAction: 'DENY' }),
    ],
    [
      '/linux/seccomp/syscalls/0/args/0/index',
      'number 6',
      (d) =>
        (d.linux['seccomp'] = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [
            {
              names: ['x'],
              action: 'SCMP_ACT_ERRNO',
              args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }],
            },
          ],
        }),
    ],
  ]
  for (const [pointer, found, change] of WRONG) {
    it(`refuses ${pointer}: ${found}`, () => {
      assert.throws(
        () => parseSpec(documentWith(change)),
        (error: { code: string; facts: { step?: string; found?: string; wanted?: string } }) => {
          assert.equal(error.code, 'invalidArgument')
          assert.deepEqual([error.facts.step, error.facts.found], [pointer, found])
          assert.notEqual(error.facts.wanted, undefined)
          return true
        },
      )
    })
  }

  it('refuses what is not an object', () => {
    for (const text of ['[]', '5', 'null', '"x"']) {
      assert.throws(() => parseSpec(text), { code: 'invalidArgument' })
    }
  })

  it('reads the rootless default document', () => {
    const text = JSON.stringify(
      defaultSpec({ isCgroupV2: true, rootless: { uid: 1000, gid: 1001 } }),
    )
    const spec = parseSpec(text).value
    assert.deepEqual(spec.linux.gidMappings, [{ containerId: 0, hostId: 1001, size: 1 }])
    assert.deepEqual(
      spec.linux.namespaces.map(({ type }) => type),
      ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user'],
    )
    assert.equal(
      spec.mounts.some(({ options }) => options.includes('gid=5')),
      false,
    )
  })
})

describe('refuseUnsupported', () => {
  it('accepts the default document', () => {
    assert.doesNotThrow(() => {
      refuseUnsupported(specWith(() => undefined))
    })
  })

  it('names what it cannot do', () => {
    const spec = specWith(({ linux }) => {
      linux['netDevices'] = { eth0: {} }
    })
    assert.throws(
      () => {
        refuseUnsupported(spec)
      },
      (error: { code: string; facts: { step?: string } }) =>
        error.code === 'unimplemented' && error.facts.step === '/linux/netDevices',
    )
  })
})

describe('parseProcessDocument', () => {
  it('reads the process object alone', () => {
    assert.deepEqual(parseProcessDocument('{"args":["sh"],"cwd":"/"}').value.args, ['sh'])
  })

  it('names the document', () => {
    assert.throws(
      () => parseProcessDocument('{"cwd":"/"}'),
      /^PlatformError: parse process\.json at \/args/,
    )
  })
})

describe('parseResourcesDocument', () => {
  it('reads the resources object alone', () => {
    const { value } = parseResourcesDocument(
      '{"pids":{"limit":5},"cpu":{"shares":2,"cpus":" 0-3,7 "}}',
    )
    assert.equal(value.pids?.limit, 5n)
    assert.equal(value.cpu?.cpus, '0-3,7')
  })
})
