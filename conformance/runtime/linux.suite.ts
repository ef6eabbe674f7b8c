import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, rmdirSync } from 'node:fs'

import { hasCgroupV1, hasCgroupV2, need } from '../harness/needs.ts'
import { mountAt, pathFacts } from './facts.ts'
import { type RuntimeSubject, describeRuntime, shell } from './subject.ts'

const EPERM = 1

describeRuntime('runtime-spec config-linux.md#default-devices', (subject) => {
  const DEVICES = [
    ['/dev/null', 1, 3],
    ['/dev/zero', 1, 5],
    ['/dev/full', 1, 7],
    ['/dev/random', 1, 8],
    ['/dev/urandom', 1, 9],
    ['/dev/tty', 5, 0],
  ] as const

  it('makes each with its numbers, mode and owner', async () => {
    const facts = await subject().facts(
      undefined,
      DEVICES.map(([path]) => path),
    )
    for (const [path, major, minor] of DEVICES) {
      const device = pathFacts(facts, path)
      assert.deepEqual(
        [device.type, device.major, device.minor, device.mode, device.uid, device.gid],
        ['char', major, minor, 0o666, 0, 0],
        path,
      )
    }
    for (const path of ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom'])
      assert.equal(pathFacts(facts, path).readErrno, 0, path)
  })

  it('makes the links', async () => {
    const links = {
      '/dev/fd': '/proc/self/fd',
      '/dev/stdin': '/proc/self/fd/0',
      '/dev/stdout': '/proc/self/fd/1',
      '/dev/stderr': '/proc/self/fd/2',
      '/dev/ptmx': 'pts/ptmx',
    }
    const facts = await subject().facts(undefined, Object.keys(links))
    for (const [path, target] of Object.entries(links))
      assert.equal(pathFacts(facts, path).link, target)
  })

  it('makes a device of the configuration', async () => {
    const facts = await subject().facts(
      (spec) => {
        spec.linux.devices = [
          { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o640, uid: 3, gid: 4 },
          { path: '/dev/sub/pipe', type: 'p', fileMode: 0o600 },
        ]
      },
      ['/dev/fuse', '/dev/sub/pipe'],
    )
    const fuse = pathFacts(facts, '/dev/fuse')
    assert.deepEqual(
      [fuse.type, fuse.major, fuse.minor, fuse.mode, fuse.uid, fuse.gid],
      ['char', 10, 229, 0o640, 3, 4],
    )
    assert.equal(pathFacts(facts, '/dev/sub/pipe').type, 'fifo')
  })

  it('lets no device be used that the device cgroup denies', async () => {
    const facts = await subject().facts(
      (spec) => {
        // Major 1 minor 11 is kmsg; the configuration makes the file but allows no access.
        spec.linux.devices = [
          { path: '/dev/kmsg', type: 'c', major: 1, minor: 11, fileMode: 0o666 },
        ]
      },
      ['/dev/kmsg', '/dev/null'],
    )
    assert.equal(pathFacts(facts, '/dev/kmsg').readErrno, EPERM)
    assert.equal(pathFacts(facts, '/dev/null').writeErrno, 0)
  })

  it('lets a device be used that the device cgroup allows', async () => {
    const facts = await subject().facts(
      (spec) => {
        spec.linux.devices = [
          { path: '/dev/kmsg', type: 'c', major: 1, minor: 11, fileMode: 0o666 },
        ]
        spec.linux.resources = {
          devices: [
            { allow: false, access: 'rwm' },
            { allow: true, type: 'c', major: 1, minor: 11, access: 'rw' },
          ],
        }
      },
      ['/dev/kmsg'],
    )
    assert.equal(pathFacts(facts, '/dev/kmsg').writeErrno, 0)
  })
})

describeRuntime('runtime-spec config-linux.md#control-groups', (subject) => {
  /** The directory of a container in a v1 hierarchy, from the host. */
  async function cgroupDir(
    runtime: RuntimeSubject,
    id: string,
    controller: string,
  ): Promise<string> {
    const { pid } = await runtime.state(id)
    const line = readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8')
      .split('\n')
      .find((candidate) => candidate.split(':')[1] === controller)
    assert.ok(line !== undefined, `process ${String(pid)} is in no ${controller} cgroup`)
    return `/sys/fs/cgroup/${controller}${line.split(':')[2] ?? ''}`
  }

  const read = (dir: string, file: string): string => readFileSync(`${dir}/${file}`, 'utf8').trim()

  it('makes one cgroup per hierarchy and removes them', async function () {
    need(this, hasCgroupV1('memory'), 'no cgroup v1 hierarchies')
    const runtime = subject()
    const { id } = await runtime.holding()
    const dirs: string[] = []
    for (const controller of ['memory', 'cpu', 'pids', 'devices', 'freezer'])
      dirs.push(await cgroupDir(runtime, id, controller))
    for (const dir of dirs) assert.match(dir, new RegExp(`${id}$`))
    await runtime.runOk(['delete', '--force', id])
    for (const dir of dirs) assert.equal(existsSync(dir), false, dir)
  })

  it('uses cgroupsPath', async function () {
    need(this, hasCgroupV1('pids'), 'no cgroup v1 hierarchies')
    const runtime = subject()
    const path = `/${runtime.workspace.token}/inner`
    const { id } = await runtime.holding((spec) => {
      spec.linux.cgroupsPath = path
    })
    assert.equal(await cgroupDir(runtime, id, 'pids'), `/sys/fs/cgroup/pids${path}`)
    await runtime.runOk(['delete', '--force', id])
    for (const name of readdirSync('/sys/fs/cgroup')) {
      const parent = `/sys/fs/cgroup/${name}/${runtime.workspace.token}`
      if (existsSync(parent)) rmdirSync(parent)
    }
  })

  it('sets memory limit and reservation', async function () {
    need(this, hasCgroupV1('memory'), 'no cgroup v1 memory hierarchy')
    const runtime = subject()
    const { id } = await runtime.holding((spec) => {
      spec.linux.resources = { memory: { limit: 67_108_864, reservation: 33_554_432 } }
    })
    const dir = await cgroupDir(runtime, id, 'memory')
    assert.equal(read(dir, 'memory.limit_in_bytes'), '67108864')
    assert.equal(read(dir, 'memory.soft_limit_in_bytes'), '33554432')
  })

  it('sets cpu shares, quota and period', async function () {
    need(this, hasCgroupV1('cpu'), 'no cgroup v1 cpu hierarchy')
    const runtime = subject()
    const { id } = await runtime.holding((spec) => {
      spec.linux.resources = { cpu: { shares: 512, quota: 25_000, period: 50_000 } }
    })
    const dir = await cgroupDir(runtime, id, 'cpu')
    assert.equal(read(dir, 'cpu.shares'), '512')
    // A kernel without CFS bandwidth control has no such files: the limit could not be set there.
    assert.equal(read(dir, 'cpu.cfs_quota_us'), '25000')
    assert.equal(read(dir, 'cpu.cfs_period_us'), '50000')
  })

  it('sets the pids limit, and the kernel keeps to it', async function () {
    need(this, hasCgroupV1('pids'), 'no cgroup v1 pids hierarchy')
    const runtime = subject()
    const { id } = await runtime.holding((spec) => {
      spec.linux.resources = { pids: { limit: 8 } }
    })
    assert.equal(read(await cgroupDir(runtime, id, 'pids'), 'pids.max'), '8')
    const { exitCode, stderr } = await runtime.run([
      'exec',
      id,
      '/bin/sh',
      '-c',
      'for n in 1 2 3 4 5 6 7 8 9; do sleep 1000 >/dev/null 2>&1 & done',
    ])
    assert.notEqual(exitCode, 0)
    assert.match(stderr, /fork/)
  })

  it('kills what exceeds the memory limit', async function () {
    need(this, hasCgroupV1('memory'), 'no cgroup v1 memory hierarchy')
    const runtime = subject()
    const { id } = await runtime.holding((spec) => {
      spec.linux.resources = { memory: { limit: 16_777_216 } }
    })
    const { exitCode } = await runtime.run([
      'exec',
      id,
      '/bin/dd',
      'if=/dev/zero',
      'of=/dev/null',
      'bs=64M',
      'count=1',
    ])
    assert.equal(exitCode, 137)
    assert.equal((await runtime.state(id)).status, 'running')
  })

  it('sets the limits on the unified hierarchy', async function () {
    need(this, hasCgroupV2(), '/sys/fs/cgroup is not a cgroup v2 mount on this machine')
    const runtime = subject()
    const { id } = await runtime.holding((spec) => {
      spec.linux.resources = { memory: { limit: 67_108_864 }, pids: { limit: 8 } }
    })
    const { pid } = await runtime.state(id)
    const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8'))?.[1] ?? ''
    assert.equal(read(`/sys/fs/cgroup${path}`, 'memory.max'), '67108864')
    assert.equal(read(`/sys/fs/cgroup${path}`, 'pids.max'), '8')
  })

  it('mounts the cgroups of the container read-only at /sys/fs/cgroup', async function () {
    need(this, hasCgroupV1('pids'), 'no cgroup v1 hierarchies')
    const facts = await subject().facts(undefined, ['/sys/fs/cgroup/pids'])
    const mount = mountAt(facts, '/sys/fs/cgroup/pids')
    assert.equal(mount.type, 'cgroup')
    assert.ok(mount.options.includes('ro'))
    assert.ok(pathFacts(facts, '/sys/fs/cgroup/pids').entries?.includes('pids.max') === true)
    assert.equal(pathFacts(facts, '/sys/fs/cgroup/pids').entries?.includes('process_api'), false)
  })
})

describeRuntime('runtime-spec config-linux.md#sysctl', (subject) => {
  it('sets namespaced values', async () => {
    const { stdout } = await subject().runBundle((spec) => {
      shell('cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/shmmni')(spec)
      spec.linux.sysctl = { 'net.ipv4.ip_default_ttl': '33', 'kernel.shmmni': '77' }
    })
    assert.equal(stdout, '33\n77\n')
  })

  it('refuses a value of the whole host', async () => {
    const { exitCode } = await subject().runBundle((spec) => {
      shell('true')(spec)
      spec.linux.sysctl = { 'kernel.panic': '1' }
    })
    assert.notEqual(exitCode, 0)
  })
})

describeRuntime('runtime-spec config-linux.md#seccomp', (subject) => {
  /** System call numbers of x86-64, which the tests call by number. */
  const GETCWD = 79
  const GETPPID = 110
  const ARCHITECTURES = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']

  it('is off without a profile', async () => {
    assert.equal((await subject().facts()).seccomp, 0)
  })

  it('answers a system call with the errno of the rule', async function () {
    need(this, process.arch === 'x64', 'the numbers are those of x86-64')
    const result = await subject().runBundle((spec) => {
      spec.process.args = ['/bin/report', 'errno', String(GETPPID)]
      spec.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ARCHITECTURES,
        syscalls: [{ names: ['getppid'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }],
      }
    })
    assert.equal(result.stdout, '38\n')
  })

  it('uses EPERM without an errno', async function () {
    need(this, process.arch === 'x64', 'the numbers are those of x86-64')
    const result = await subject().runBundle((spec) => {
      spec.process.args = ['/bin/report', 'errno', String(GETPPID)]
      spec.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ARCHITECTURES,
        syscalls: [{ names: ['getppid'], action: 'SCMP_ACT_ERRNO' }],
      }
    })
    assert.equal(result.stdout, '1\n')
  })

  it('compares arguments', async function () {
    need(this, process.arch === 'x64', 'the numbers are those of x86-64')
    const runtime = subject()
    const withValue = (value: number) =>
      runtime.runBundle((spec) => {
        spec.process.args = ['/bin/report', 'errno', String(GETCWD)]
        spec.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          architectures: ARCHITECTURES,
          syscalls: [
            {
              names: ['getcwd'],
              action: 'SCMP_ACT_ERRNO',
              errnoRet: 77,
              args: [{ index: 1, value, op: 'SCMP_CMP_EQ' }],
            },
          ],
        }
      })
    assert.equal((await withValue(0)).stdout, '77\n')
    assert.notEqual((await withValue(5)).stdout, '77\n')
  })

  it('passes over names it does not know', async () => {
    const facts = await subject().facts((spec) => {
      spec.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ARCHITECTURES,
        syscalls: [{ names: ['no_such_call', 'getppid'], action: 'SCMP_ACT_ERRNO' }],
      }
    })
    assert.equal(facts.seccomp, 2)
  })

  it('holds for exec as well', async function () {
    need(this, process.arch === 'x64', 'the numbers are those of x86-64')
    const runtime = subject()
    const { id } = await runtime.holding((spec) => {
      spec.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ARCHITECTURES,
        syscalls: [{ names: ['getppid'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }],
      }
    })
    const { stdout } = await runtime.runOk(['exec', id, '/bin/report', 'errno', String(GETPPID)])
    assert.equal(stdout, '38\n')
  })
})
