import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { runOk } from '../harness/process.ts'
import { mountAt, parseMountinfo, pathFacts } from './facts.ts'
import { type RuntimeSubject, describeRuntime, shell } from './subject.ts'
import type { Spec, SpecMount } from './spec-config.ts'

const EROFS = 30

/** A host directory with one file, to be bound into containers. */
function hostDir(runtime: RuntimeSubject): string {
  const dir = runtime.workspace.makeDir('volume')
  writeFileSync(join(dir, 'file'), 'from the host\n')
  return dir
}

/** The options of the mount that a configuration with this one more mount makes. */
async function mounted(
  runtime: RuntimeSubject,
  mount: SpecMount,
): Promise<ReturnType<typeof mountAt>> {
  const facts = await runtime.facts((spec) => {
    spec.root.readonly = false
    spec.mounts.push(mount)
  })
  return mountAt(facts, mount.destination)
}

describeRuntime('runtime-spec config.md#root', (subject) => {
  it('makes the root read-only when asked', async () => {
    const facts = await subject().facts(undefined, ['/', '/etc'])
    assert.ok(mountAt(facts, '/').options.includes('ro'))
    assert.equal(pathFacts(facts, '/etc').writeErrno, EROFS)
  })

  it('leaves the root writable otherwise', async () => {
    const facts = await subject().facts(
      (spec) => {
        spec.root.readonly = false
      },
      ['/etc'],
    )
    assert.equal(pathFacts(facts, '/etc').writeErrno, 0)
  })

  it('takes an absolute path', async () => {
    const runtime = subject()
    const { dir, rootfs } = await runtime.bundle((spec) => {
      shell('echo absolute')(spec)
    })
    const config = join(dir, 'config.json')
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace('"path":"rootfs"', `"path":"${rootfs}"`),
    )
    assert.equal(
      (await runtime.runOk(['run', '--bundle', dir, runtime.newId()])).stdout,
      'absolute\n',
    )
  })

  it('shows nothing of the host: the old root is gone', async () => {
    const facts = await subject().facts()
    const hostRoots = parseMountinfo(facts.mountinfo).filter(({ target }) =>
      /old|pivot/.test(target),
    )
    assert.deepEqual(hostRoots, [])
    assert.equal(facts.mountinfo.filter((line) => line.split(' ')[4] === '/').length, 1)
  })

  it('is private by default: mounts of the host do not arrive and none leave', async () => {
    const facts = await subject().facts()
    assert.deepEqual(
      mountAt(facts, '/').propagation.filter((word) => word.startsWith('shared')),
      [],
    )
  })
})

describeRuntime('runtime-spec config.md#mounts', (subject) => {
  it('mounts the default file systems with their options', async () => {
    const facts = await subject().facts()
    const expected: readonly (readonly [string, string, readonly string[]])[] = [
      ['/proc', 'proc', ['rw']],
      ['/dev', 'tmpfs', ['rw', 'nosuid']],
      ['/dev/pts', 'devpts', ['rw', 'nosuid', 'noexec']],
      ['/dev/shm', 'tmpfs', ['rw', 'nosuid', 'nodev', 'noexec']],
      ['/dev/mqueue', 'mqueue', ['rw', 'nosuid', 'nodev', 'noexec']],
      ['/sys', 'sysfs', ['ro', 'nosuid', 'nodev', 'noexec']],
    ]
    for (const [target, type, options] of expected) {
      const mount = mountAt(facts, target)
      assert.equal(mount.type, type, target)
      for (const option of options) assert.ok(mount.options.includes(option), `${target} ${option}`)
    }
    assert.ok(mountAt(facts, '/dev').superOptions.includes('size=65536k'))
    assert.ok(mountAt(facts, '/dev').superOptions.includes('mode=755'))
    assert.ok(mountAt(facts, '/dev/pts').superOptions.includes('gid=5'))
    assert.ok(mountAt(facts, '/dev/pts').superOptions.includes('ptmxmode=666'))
  })

  it('mounts in the order of the list', async () => {
    const facts = await subject().facts((spec) => {
      spec.root.readonly = false
      spec.mounts.push(
        { destination: '/tmp', type: 'tmpfs', source: 'first' },
        { destination: '/tmp/inner', type: 'tmpfs', source: 'second' },
      )
    })
    assert.equal(mountAt(facts, '/tmp/inner').parent, mountAt(facts, '/tmp').id)
  })

  for (const option of ['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime'])
    it(`tmpfs with ${option}`, async () => {
      const mount = await mounted(subject(), {
        destination: '/mnt',
        type: 'tmpfs',
        source: 'tmpfs',
        options: [option],
      })
      assert.ok(mount.options.includes(option), mount.options.join())
    })

  it('tmpfs with size, mode, uid, gid, nr_inodes', async () => {
    const mount = await mounted(subject(), {
      destination: '/mnt',
      type: 'tmpfs',
      source: 'mine',
      options: ['size=1m', 'mode=0711', 'uid=5', 'gid=6', 'nr_inodes=100'],
    })
    assert.equal(mount.source, 'mine')
    for (const option of ['size=1024k', 'mode=711', 'uid=5', 'gid=6', 'nr_inodes=100'])
      assert.ok(mount.superOptions.includes(option), `${option} in ${mount.superOptions.join()}`)
  })

  it('strictatime undoes relatime', async () => {
    const mount = await mounted(subject(), {
      destination: '/mnt',
      type: 'tmpfs',
      source: 't',
      options: ['strictatime'],
    })
    assert.equal(mount.options.includes('relatime'), false)
    assert.equal(mount.options.includes('noatime'), false)
  })

  it('binds a directory writable', async () => {
    const runtime = subject()
    const source = hostDir(runtime)
    const { stdout } = await runtime.runBundle((spec) => {
      shell('cat /mnt/file; echo back > /mnt/written')(spec)
      spec.root.readonly = false
      spec.mounts.push({ destination: '/mnt', type: 'bind', source, options: ['bind'] })
    })
    assert.equal(stdout, 'from the host\n')
    assert.equal(readFileSync(join(source, 'written'), 'utf8'), 'back\n')
  })

  it('binds a directory read-only', async () => {
    const runtime = subject()
    const source = hostDir(runtime)
    const facts = await runtime.facts(
      (spec) => {
        spec.root.readonly = false
        spec.mounts.push({ destination: '/mnt', type: 'bind', source, options: ['bind', 'ro'] })
      },
      ['/mnt', '/mnt/file'],
    )
    assert.ok(mountAt(facts, '/mnt').options.includes('ro'))
    assert.equal(pathFacts(facts, '/mnt').writeErrno, EROFS)
    assert.equal(pathFacts(facts, '/mnt/file').readErrno, 0)
  })

  it('binds with nosuid, nodev, noexec', async () => {
    const runtime = subject()
    const source = hostDir(runtime)
    const mount = await mounted(runtime, {
      destination: '/mnt',
      type: 'bind',
      source,
      options: ['rbind', 'nosuid', 'nodev', 'noexec'],
    })
    for (const option of ['nosuid', 'nodev', 'noexec'])
      assert.ok(mount.options.includes(option), option)
  })

  it('makes a file as target for a bound file', async () => {
    const runtime = subject()
    const source = join(hostDir(runtime), 'file')
    const result = await runtime.runBundle((spec) => {
      shell('cat /made/here/file')(spec)
      spec.root.readonly = false
      spec.mounts.push({
        destination: '/made/here/file',
        type: 'bind',
        source,
        options: ['bind', 'ro'],
      })
    })
    assert.equal(result.stdout, 'from the host\n')
  })

  it('rbind brings the mounts below, bind does not', async () => {
    const runtime = subject()
    const source = hostDir(runtime)
    mkdirSync(join(source, 'below'))
    await runOk('mount', ['-t', 'tmpfs', 'below', join(source, 'below')])
    runtime.workspace.defer(async () => {
      await runOk('umount', [join(source, 'below')])
    })
    const change = (option: string) => (spec: Spec) => {
      spec.root.readonly = false
      spec.mounts.push({ destination: '/mnt', type: 'bind', source, options: [option] })
    }
    const recursive = await runtime.facts(change('rbind'))
    assert.equal(mountAt(recursive, '/mnt/below').type, 'tmpfs')
    const flat = await runtime.facts(change('bind'))
    assert.equal(
      flat.mountinfo.some((line) => line.includes(' /mnt/below ')),
      false,
    )
  })

  for (const [option, pattern] of [
    ['rprivate', /^$/],
    ['rslave', /^(master:\d+)?$/],
    ['rshared', /^shared:\d+/],
    ['unbindable', /^unbindable$/],
  ] as const)
    it(`propagation ${option}`, async () => {
      const runtime = subject()
      const mount = await mounted(runtime, {
        destination: '/mnt',
        type: 'bind',
        source: hostDir(runtime),
        options: ['rbind', option],
      })
      assert.match(mount.propagation.join(' '), pattern)
    })

  it('resolves a symlink in the destination inside the root', async () => {
    const runtime = subject()
    const { dir, rootfs } = await runtime.bundle((spec) => {
      spec.process.args = ['/bin/report', 'facts']
      spec.root.readonly = false
      spec.mounts.push({ destination: '/link/sub', type: 'tmpfs', source: 'here' })
    })
    symlinkSync('/etc', join(rootfs, 'link'))
    const { stdout } = await runtime.runOk(['run', '--bundle', dir, runtime.newId()])
    assert.match(stdout, / \/etc\/sub [^"]* - tmpfs here /)
  })

  it('refuses a destination that leaves the root by nothing: .. stops at /', async () => {
    const runtime = subject()
    const mount = await runtime.facts((spec) => {
      spec.root.readonly = false
      spec.mounts.push({ destination: '/../../../../../../mnt', type: 'tmpfs', source: 'up' })
    })
    assert.equal(mountAt(mount, '/mnt').source, 'up')
  })

  it('leaves no mount on the host', async () => {
    const runtime = subject()
    await runtime.facts((spec) => {
      spec.root.readonly = false
      spec.mounts.push({ destination: '/mnt', type: 'tmpfs', source: 'tmpfs' })
    })
    assert.equal(
      readFileSync('/proc/self/mountinfo', 'utf8').includes(runtime.workspace.token),
      false,
    )
  })
})

describeRuntime('runtime-spec config-linux.md#masked-paths', (subject) => {
  it('hides masked files and directories', async () => {
    const facts = await subject().facts(
      (spec) => {
        spec.linux.maskedPaths = [
          '/proc/kcore',
          '/proc/keys',
          '/sys/firmware',
          '/proc/not-there',
          '/etc',
        ]
        spec.root.readonly = false
      },
      ['/proc/kcore', '/proc/keys', '/sys/firmware', '/etc'],
    )
    for (const path of ['/sys/firmware', '/etc']) {
      assert.deepEqual(pathFacts(facts, path).entries, [], path)
      assert.notEqual(pathFacts(facts, path).writeErrno, 0, path)
    }
    // A masked file reads as empty: it is /dev/null, or an empty file that may not even be opened.
    const keys = pathFacts(facts, '/proc/keys')
    assert.ok(keys.type === 'char' ? keys.major === 1 && keys.minor === 3 : keys.bytes === 0)
  })

  it('makes read-only paths read-only', async () => {
    const facts = await subject().facts(
      (spec) => {
        spec.linux.readonlyPaths = ['/proc/sys', '/proc/sysrq-trigger', '/etc', '/proc/not-there']
        spec.root.readonly = false
      },
      ['/proc/sys/kernel/hostname', '/proc/sysrq-trigger', '/etc', '/tmp'],
    )
    assert.equal(pathFacts(facts, '/proc/sys/kernel/hostname').writeErrno, EROFS)
    // Some kernels have no sysrq trigger; a missing path is then passed over.
    assert.notEqual(pathFacts(facts, '/proc/sysrq-trigger').writeErrno, 0)
    assert.equal(pathFacts(facts, '/etc').writeErrno, EROFS)
    assert.equal(pathFacts(facts, '/tmp').writeErrno, 0)
  })

  it('protects the defaults of spec', async () => {
    const facts = await subject().facts(undefined, [
      '/proc/sys',
      '/proc/irq',
      '/proc/bus',
      '/proc/timer_list',
    ])
    for (const path of ['/proc/sys', '/proc/irq', '/proc/bus'])
      assert.ok(mountAt(facts, path).options.includes('ro'), path)
  })
})
