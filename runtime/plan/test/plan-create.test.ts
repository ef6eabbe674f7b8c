import assert from 'node:assert/strict'
import type { Operation } from '../../../native/generated/operations.ts'
import type { MountSpec, NamespaceSpec, Spec } from '../../spec/types.ts'
import { MOUNT_ATTR } from '../kernel.ts'
import { planCreate } from '../plan-create.ts'
import type { PlanInput } from '../plan-input.ts'
import { minimalProcess, minimalSpec } from './spec-fixture.ts'

const INPUT: PlanInput = {
  containerId: 'c1',
  bundle: '/bundle',
  cgroupTaskFiles: ['/sys/fs/cgroup/cpu/c1/tasks'],
}

function plan(change: Partial<Spec> = {}, input: Partial<PlanInput> = {}) {
  return planCreate(minimalSpec(change), '/bundle/rootfs', { ...INPUT, ...input })
}

function names(operations: readonly Operation[]): string[] {
  return operations.map(({ op }) => op)
}

function operationsNamed(change: Partial<Spec>, ...wanted: Operation['op'][]): Operation[] {
  return plan(change).operations.filter(({ op }) => wanted.includes(op))
}

function withNamespaces(...namespaces: NamespaceSpec[]): Partial<Spec> {
  return { linux: { ...minimalSpec().linux, namespaces } }
}

function withMount(mount: Partial<MountSpec> & { destination: string }): Partial<Spec> {
  return { mounts: [{ options: [], uidMappings: [], gidMappings: [], ...mount }] }
}

describe('plan of create', () => {
  it('goes from namespaces over the root file system and the identity to the program', () => {
    assert.deepEqual(
      names(plan().operations).filter((op) => op !== 'makeDevice' && op !== 'makeSymlink'),
      [
        'joinCgroups',
        'newSession',
        'joinSessionKeyring',
        'openPrivateProc',
        'setRootPropagation',
        'openRootfs',
        'makeDirectory',
        'pivotRoot',
        'setNoNewPrivileges',
        'ownStdio',
        'changeDirectory',
        'dropBoundingCapabilities',
        'setIdentity',
        'setCapabilities',
        'setUmask',
        'changeDirectory',
        'resolveExecutable',
        'awaitStart',
        'execute',
      ],
    )
  })

  it('looks the program up in its own PATH', () => {
    const [resolve] = operationsNamed({}, 'resolveExecutable')
    assert.deepEqual(resolve, { op: 'resolveExecutable', candidates: ['/bin/sh', '/usr/bin/sh'] })
  })

  it('takes a program with a slash as it is', () => {
    const process = minimalProcess({ args: ['./run.sh'] })
    const [resolve] = operationsNamed({ process }, 'resolveExecutable')
    assert.deepEqual(resolve, { op: 'resolveExecutable', candidates: ['./run.sh'] })
  })

  it('finds HOME only when the environment has none', () => {
    const process = minimalProcess({
      env: ['PATH=/bin'],
      user: { uid: 7, gid: 7, additionalGids: [] },
    })
    assert.deepEqual(operationsNamed({ process }, 'findHome'), [{ op: 'findHome', uid: 7 }])
    assert.deepEqual(operationsNamed({}, 'findHome'), [])
  })
})

describe('runtime-spec config-linux.md#namespaces', () => {
  it('clones new namespaces in one step, the cgroup namespace after the process is in its cgroup', () => {
    const made = plan(
      withNamespaces({ type: 'mount' }, { type: 'pid' }, { type: 'network' }, { type: 'cgroup' }),
    )
    assert.equal(made.cloneFlags, 0x00020000 | 0x20000000 | 0x40000000)
    assert.equal(made.forks, false)
    assert.deepEqual(names(made.operations).slice(0, 4), [
      'joinCgroups',
      'unshareNamespaces',
      'newSession',
      'joinSessionKeyring',
    ])
    assert.ok(names(made.operations).includes('loopbackUp'))
  })

  it('joins by path before it makes the others, and forks for a pid namespace', () => {
    const made = plan(
      withNamespaces(
        { type: 'mount' },
        { type: 'network', path: '/run/netns/a' },
        { type: 'pid', path: '/proc/7/ns/pid' },
        { type: 'ipc' },
      ),
    )
    assert.equal(made.cloneFlags, 0)
    assert.deepEqual(made.namespacePaths, ['/run/netns/a', '/proc/7/ns/pid'])
    assert.deepEqual(made.operations.slice(0, 5), [
      { op: 'joinCgroups', taskFiles: ['/sys/fs/cgroup/cpu/c1/tasks'] },
      { op: 'joinNamespace', file: 1, kind: 0x40000000 },
      { op: 'joinNamespace', file: 2, kind: 0x20000000 },
      { op: 'unshareNamespaces', flags: 0x00020000 | 0x08000000 },
      { op: 'forkIntoNamespaces' },
    ])
    assert.ok(!names(made.operations).includes('loopbackUp'))
  })

  for (const namespaces of [
    [{ type: 'pid' }],
    [{ type: 'mount', path: '/proc/1/ns/mnt' }],
  ] as const) {
    it(`refuses ${JSON.stringify(namespaces)}: mounts would happen to somebody else`, () => {
      assert.throws(() => plan(withNamespaces(...namespaces)), { code: 'unimplemented' })
    })
  }
})

describe('runtime-spec config.md#mounts', () => {
  it('resolves the source of a bind mount against the bundle', () => {
    const [bind] = operationsNamed(
      withMount({ destination: 'data', source: 'files', options: ['rbind', 'ro'] }),
      'bindMount',
    )
    assert.deepEqual(bind, {
      op: 'bindMount',
      source: '/bundle/files',
      target: '/data',
      recursive: true,
      set: MOUNT_ATTR.RDONLY,
      clear: 0,
      setRecursive: 0,
      clearRecursive: 0,
      propagation: 0,
      mayCoverProc: false,
    })
  })

  it('wants a real directory below proc and sysfs', () => {
    const [proc] = operationsNamed(
      withMount({ destination: '/proc', type: 'proc', source: 'proc' }),
      'mountFilesystem',
    )
    assert.ok(proc?.op === 'mountFilesystem' && proc.realDirectory)
  })

  for (const destination of ['/proc', '/proc/self/attr', '/proc/sys', '/proc/../proc/self']) {
    it(`refuses a tmpfs on ${destination}`, () => {
      assert.throws(() => plan(withMount({ destination, type: 'tmpfs' })), {
        code: 'invalidArgument',
        message: /\/mounts\/0\/destination/,
      })
    })
  }

  it('lets lxcfs cover /proc/meminfo', () => {
    const [bind] = operationsNamed(
      withMount({
        destination: '/proc/meminfo',
        source: '/var/lib/lxcfs/meminfo',
        options: ['bind'],
      }),
      'bindMount',
    )
    assert.ok(bind?.op === 'bindMount' && bind.mayCoverProc)
  })

  it('refuses superblock options on a bind mount', () => {
    assert.throws(
      () => plan(withMount({ destination: '/d', source: '/s', options: ['bind', 'size=1m'] })),
      { code: 'invalidArgument', message: /size=1m on a bind mount/ },
    )
  })

  it('makes no default devices when /dev is bound from somewhere', () => {
    const change = withMount({ destination: '/dev', source: '/dev', options: ['rbind'] })
    assert.deepEqual(operationsNamed(change, 'makeDevice'), [])
  })
})

describe('runtime-spec config-linux.md#default-devices', () => {
  it('makes the six devices by number', () => {
    const devices = operationsNamed({}, 'makeDevice').map((operation) =>
      operation.op === 'makeDevice'
        ? [operation.path, operation.major, operation.minor, operation.mode]
        : [],
    )
    assert.deepEqual(devices, [
      ['/dev/null', 1, 3, 0o020666],
      ['/dev/zero', 1, 5, 0o020666],
      ['/dev/full', 1, 7, 0o020666],
      ['/dev/random', 1, 8, 0o020666],
      ['/dev/urandom', 1, 9, 0o020666],
      ['/dev/tty', 5, 0, 0o020666],
    ])
  })

  it('binds them in a user namespace, where mknod is not permitted', () => {
    const change = withNamespaces({ type: 'mount' }, { type: 'user' })
    assert.deepEqual(operationsNamed(change, 'makeDevice'), [])
    assert.equal(operationsNamed(change, 'bindDevice').length, 6)
  })
})

describe('runtime-spec config-linux.md#seccomp', () => {
  const seccomp = { flags: 0, program: new Uint8Array([1]) }

  it('loads the filter last when no_new_privs is set', () => {
    const ops = names(plan({}, { seccomp }).operations)
    assert.deepEqual(ops.slice(-3), ['awaitStart', 'loadSeccomp', 'execute'])
  })

  it('loads it while init is privileged when no_new_privs is not set', () => {
    const process = minimalProcess({ noNewPrivileges: false })
    const ops = names(plan({ process }, { seccomp }).operations)
    assert.ok(ops.indexOf('loadSeccomp') < ops.indexOf('dropBoundingCapabilities'))
  })
})

describe('runtime-spec config-linux.md#control-groups (mount)', () => {
  const cgroup = {
    version: 1,
    hierarchies: [
      {
        name: 'cpu,cpuacct',
        mountOptions: ['cpu', 'cpuacct'],
        hostPath: '/sys/fs/cgroup/cpu,cpuacct/c1',
      },
    ],
  } as const

  it('shows v1 hierarchies below a tmpfs that is sealed at the end', () => {
    const change = withMount({ destination: '/sys/fs/cgroup', type: 'cgroup', options: ['ro'] })
    const { operations } = plan(change, { cgroup })
    const below = operations.filter(
      (operation) => 'target' in operation && operation.op !== 'makeSymlink',
    )
    assert.deepEqual(names(below), ['mountFilesystem', 'bindMount', 'setMountAttributes'])
    const bind = below[1]
    assert.ok(bind?.op === 'bindMount')
    assert.equal(bind.source, '/sys/fs/cgroup/cpu,cpuacct/c1')
    assert.equal(bind.setRecursive, MOUNT_ATTR.RDONLY)
  })
})

describe('runtime-spec config.md#posix-platform-hooks', () => {
  it('leaves the place of the pid in the state to init', () => {
    const hook = { path: '/hook', args: ['hook'], env: ['A=1'], timeoutSeconds: 2 }
    const hooks = { ...minimalSpec().hooks, createContainer: [hook] }
    const [run] = operationsNamed({ hooks, annotations: { a: '"pid":0' } }, 'runHook')
    assert.ok(run?.op === 'runHook')
    const state: unknown = JSON.parse(`${run.stateHead}42${run.stateTail}`)
    assert.deepEqual(state, {
      ociVersion: '1.3.0',
      id: 'c1',
      status: 'creating',
      pid: 42,
      bundle: '/bundle',
      annotations: { a: '"pid":0' },
    })
    assert.equal(run.timeoutMs, 2000)
  })
})
