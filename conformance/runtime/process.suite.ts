import assert from 'node:assert/strict'
import { closeSync, openSync, readlinkSync } from 'node:fs'

import { describeRuntime, shell } from './subject.ts'

/** The bits of a capability set as /proc/self/status shows it. */
const CAP_BIT = {
  CAP_CHOWN: 0,
  CAP_KILL: 5,
  CAP_SETUID: 7,
  CAP_NET_BIND_SERVICE: 10,
  CAP_AUDIT_WRITE: 29,
} as const

function mask(names: readonly (keyof typeof CAP_BIT)[]): string {
  return names
    .reduce((bits, name) => bits | (1n << BigInt(CAP_BIT[name])), 0n)
    .toString(16)
    .padStart(16, '0')
}

describeRuntime('runtime-spec config.md#process', (subject) => {
  it('runs args in cwd with exactly the given environment', async () => {
    const facts = await subject().facts((spec) => {
      spec.process.env = ['PATH=/bin', 'A=1', 'EMPTY=', 'WITH=a=b c']
      spec.process.cwd = '/tmp'
    })
    assert.equal(facts.cwd, '/tmp')
    assert.equal(facts.pid, 1)
    // HOME is added from the user database or as /; nothing else is.
    const given = facts.env.filter((entry) => !entry.startsWith('HOME='))
    assert.deepEqual(given, ['PATH=/bin', 'A=1', 'EMPTY=', 'WITH=a=b c'])
  })

  it('finds the program by the PATH of the configuration', async () => {
    const result = await subject().runBundle((spec) => {
      spec.process.args = ['echo', 'found']
      spec.process.env = ['PATH=/nowhere:/bin']
    })
    assert.equal(result.stdout, 'found\n')
  })

  it('makes a missing cwd', async () => {
    const facts = await subject().facts((spec) => {
      spec.root.readonly = false
      spec.process.cwd = '/made/by/runtime'
    })
    assert.equal(facts.cwd, '/made/by/runtime')
  })

  it('leads its own session and process group', async () => {
    const facts = await subject().facts()
    assert.deepEqual([facts.pid, facts.pgid, facts.sid], [1, 1, 1])
  })

  it('starts with no blocked signals and no death signal', async () => {
    const facts = await subject().facts()
    assert.deepEqual(facts.blockedSignals, [])
    assert.equal(facts.pdeathsig, 0)
    assert.equal(BigInt(`0x${facts.status['SigIgn'] ?? ''}`), 0n)
  })

  it('has the standard descriptors and no others', async () => {
    assert.deepEqual(Object.keys((await subject().facts()).fds), ['0', '1', '2'])
  })

  it('has no more than the standard descriptors when its caller leaks some', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.args = ['/bin/report', 'facts']
    })
    const directory = openSync('/', 'r')
    const { stdout } = await runtime.runOk(['run', '--bundle', dir, runtime.newId()], {
      inherit: [directory, directory],
    })
    closeSync(directory)
    assert.match(stdout, /"fds":\{"0":"[^"]*","1":"[^"]*","2":"[^"]*"\}/)
  })

  it('gets a session keyring of its own', async () => {
    const runtime = subject()
    const first = await runtime.facts()
    const second = await runtime.facts()
    assert.ok(first.keyring.serial > 0)
    assert.notEqual(first.keyring.serial, second.keyring.serial)
  })

  it('sets oomScoreAdj', async () => {
    const facts = await subject().facts((spec) => {
      spec.process.oomScoreAdj = 123
    })
    assert.equal(facts.oomScoreAdj, '123\n')
  })
})

describeRuntime('runtime-spec config.md#user', (subject) => {
  it('sets uid, gid and additional groups', async () => {
    const facts = await subject().facts((spec) => {
      spec.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 44] }
    })
    assert.deepEqual(facts.uids, [1000, 1000, 1000])
    assert.deepEqual(facts.gids, [1001, 1001, 1001])
    assert.deepEqual(
      facts.groups.filter((gid) => gid !== 1001).toSorted((a, b) => a - b),
      [5, 44],
    )
  })

  it('drops the groups of the caller', async () => {
    assert.deepEqual(
      (await subject().facts()).groups.filter((gid) => gid !== 0),
      [],
    )
  })

  it('sets the umask', async () => {
    const facts = await subject().facts((spec) => {
      spec.process.user.umask = 0o27
    })
    assert.equal(facts.umask, 0o27)
  })

  it('uses umask 022 by default', async () => {
    assert.equal((await subject().facts()).umask, 0o22)
  })

  it('makes the standard streams usable for the user', async () => {
    const result = await subject().runBundle((spec) => {
      shell('echo again > /proc/self/fd/1')(spec)
      spec.process.user = { uid: 1000, gid: 1000 }
    })
    assert.match(result.stdout, /again/)
  })
})

describeRuntime('runtime-spec config.md#linux-process', (subject) => {
  it('sets each capability set', async () => {
    const { status } = await subject().facts((spec) => {
      spec.process.capabilities = {
        bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID', 'CAP_NET_BIND_SERVICE'],
        permitted: ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID'],
        effective: ['CAP_CHOWN', 'CAP_KILL'],
        inheritable: ['CAP_KILL'],
        ambient: ['CAP_KILL'],
      }
      // Root would regain its bounding set at execve; another user keeps the ambient set.
      spec.process.user = { uid: 1000, gid: 1000 }
    })
    assert.equal(
      status['CapBnd'],
      mask(['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID', 'CAP_NET_BIND_SERVICE']),
    )
    assert.equal(status['CapInh'], mask(['CAP_KILL']))
    assert.equal(status['CapAmb'], mask(['CAP_KILL']))
    assert.equal(status['CapPrm'], mask(['CAP_KILL']))
    assert.equal(status['CapEff'], mask(['CAP_KILL']))
  })

  it('gives root the bounding set and no more', async () => {
    const { status } = await subject().facts((spec) => {
      spec.process.capabilities = {
        bounding: ['CAP_KILL', 'CAP_AUDIT_WRITE'],
        permitted: ['CAP_KILL', 'CAP_AUDIT_WRITE'],
        effective: ['CAP_KILL', 'CAP_AUDIT_WRITE'],
      }
    })
    assert.equal(status['CapBnd'], mask(['CAP_KILL', 'CAP_AUDIT_WRITE']))
    assert.equal(status['CapPrm'], mask(['CAP_KILL', 'CAP_AUDIT_WRITE']))
    assert.equal(status['CapInh'], mask([]))
  })

  it('has no capability when the configuration has an empty set', async () => {
    const { status } = await subject().facts((spec) => {
      spec.process.capabilities = {}
    })
    for (const set of ['CapBnd', 'CapPrm', 'CapEff', 'CapInh', 'CapAmb'])
      assert.equal(status[set], mask([]), set)
  })

  it('sets the resource limits', async () => {
    const { rlimits } = await subject().facts((spec) => {
      spec.process.rlimits = [
        { type: 'RLIMIT_NOFILE', soft: 300, hard: 400 },
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        { type: 'RLIMIT_STACK', soft: 1_000_000, hard: 2_000_000 },
      ]
    })
    assert.deepEqual(rlimits['RLIMIT_NOFILE'], { soft: '300', hard: '400' })
    assert.deepEqual(rlimits['RLIMIT_CORE'], { soft: '0', hard: '0' })
    assert.deepEqual(rlimits['RLIMIT_STACK'], { soft: '1000000', hard: '2000000' })
  })

  it('sets no_new_privs when asked', async () => {
    const runtime = subject()
    assert.equal((await runtime.facts()).noNewPrivs, 1)
    const without = await runtime.facts((spec) => {
      spec.process.noNewPrivileges = false
    })
    assert.equal(without.noNewPrivs, 0)
  })
})

describeRuntime('runtime-spec config-linux.md#namespaces', (subject) => {
  const KINDS = { pid: 'pid', network: 'net', ipc: 'ipc', uts: 'uts', mount: 'mnt' } as const

  it('makes each namespace of the configuration and keeps the others', async () => {
    const { namespaces } = await subject().facts()
    for (const kind of Object.values(KINDS))
      assert.notEqual(namespaces[kind], readlinkSync(`/proc/self/ns/${kind}`), kind)
    assert.equal(namespaces['user'], readlinkSync('/proc/self/ns/user'))
    assert.equal(namespaces['time'], readlinkSync('/proc/self/ns/time'))
  })

  for (const [type, kind] of Object.entries(KINDS).filter(([type]) => type !== 'mount'))
    it(`stays in the ${type} namespace of the host when the configuration does not name it`, async () => {
      const { namespaces } = await subject().facts((spec) => {
        spec.linux.namespaces = spec.linux.namespaces.filter((entry) => entry.type !== type)
        if (type === 'uts') delete spec.hostname
        // Without a network namespace of its own sysfs cannot be mounted read-only anew by all kernels.
        if (type === 'network')
          spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/sys'))
        if (type === 'ipc')
          spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/dev/mqueue')
      })
      assert.equal(namespaces[kind], readlinkSync(`/proc/self/ns/${kind}`))
    })

  for (const [type, kind] of [
    ['network', 'net'],
    ['ipc', 'ipc'],
    ['uts', 'uts'],
    ['pid', 'pid'],
  ] as const)
    it(`joins a ${type} namespace by path`, async () => {
      const runtime = subject()
      const { id } = await runtime.holding()
      const { pid } = await runtime.state(id)
      const path = `/proc/${String(pid)}/ns/${kind}`
      const { namespaces } = await runtime.facts((spec) => {
        for (const entry of spec.linux.namespaces) if (entry.type === type) entry.path = path
      })
      assert.equal(namespaces[kind], readlinkSync(path))
    })

  it('makes a cgroup namespace', async () => {
    const { namespaces, cgroup } = await subject().facts((spec) => {
      spec.linux.namespaces = [
        ...spec.linux.namespaces.filter(({ type }) => type !== 'cgroup'),
        { type: 'cgroup' },
      ]
    })
    assert.notEqual(namespaces['cgroup'], readlinkSync('/proc/self/ns/cgroup'))
    assert.ok(
      cgroup.every((line) => line.endsWith(':/')),
      cgroup.join(' '),
    )
  })

  it('makes a user namespace with the mappings', async () => {
    const runtime = subject()
    const facts = await runtime.facts((spec) => {
      spec.linux.namespaces.push({ type: 'user' })
      spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 1000 }]
      spec.linux.gidMappings = [{ containerID: 0, hostID: 200_000, size: 2000 }]
    })
    assert.notEqual(facts.namespaces['user'], readlinkSync('/proc/self/ns/user'))
    assert.match(facts.uidMap, /^\s*0\s+100000\s+1000\s*$/)
    assert.match(facts.gidMap, /^\s*0\s+200000\s+2000\s*$/)
    assert.deepEqual(facts.uids, [0, 0, 0])
  })

  it('sets hostname', async () => {
    const facts = await subject().facts((spec) => {
      spec.hostname = 'berth-host.example'
    })
    assert.equal(facts.hostname, 'berth-host.example')
  })

  it('has only a loopback interface in a new network namespace', async () => {
    const result = await subject().runBundle(shell('cat /proc/net/dev'))
    const names = result.stdout.split('\n').flatMap((line) => /^\s*(\w+):/.exec(line)?.[1] ?? [])
    assert.ok(names.includes('lo'))
    assert.equal(names.includes('eth0'), false)
  })
})
