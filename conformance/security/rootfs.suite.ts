/**
 * What a hostile root file system may try against the host. Where a peer is known to lose, the test says so
 * and uses it as the positive control: the attack has to work there, or the test tests nothing.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

import { run } from '../harness/process.ts'
import { until } from '../harness/until.ts'
import { plantTraps } from './traps.ts'
import { parseFacts } from '../runtime/facts.ts'
import {
  type Bundle,
  type RuntimeSubject,
  describeRuntime,
  isOurs,
  runtimeName,
  runtimePath,
  shell,
} from '../runtime/subject.ts'

const RUNC_LOSES = runtimeName === 'runc'

/** A directory of the host that no container may touch, and what is in it. */
function canary(runtime: RuntimeSubject): {
  readonly dir: string
  readonly seen: () => readonly string[]
} {
  const dir = runtime.workspace.makeDir('outside')
  writeFileSync(join(dir, 'ptmx'), 'canary\n')
  mkdirSync(join(dir, 'pts'))
  mkdirSync(join(dir, 'shm'))
  const list = (path: string): readonly string[] =>
    readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
      const child = join(path, entry.name)
      if (entry.isDirectory()) return [`${child}/`, ...list(child)]
      return [`${child} ${entry.isFile() ? readFileSync(child, 'utf8') : 'special'}`]
    })
  return { dir, seen: () => list(dir).toSorted() }
}

/** Puts a symlink in the place of a directory of the root file system. */
function replaceByLink({ rootfs }: Bundle, name: string, target: string): void {
  rmSync(join(rootfs, name), { recursive: true, force: true })
  mkdirSync(dirname(join(rootfs, name)), { recursive: true })
  symlinkSync(target, join(rootfs, name))
}

describeRuntime('S-21: /dev is a symlink to a directory of the host', (subject) => {
  for (const [what, target] of [
    ['absolute', (dir: string) => dir],
    ['relative', () => '../../outside'],
  ] as const)
    for (const verb of ['run', 'create'] as const)
      it(`${what} link, ${verb}, no mount at /dev: nothing of the host changes`, async () => {
        const runtime = subject()
        const outside = canary(runtime)
        const before = outside.seen()
        const bundle = await runtime.bundle((spec) => {
          shell('true')(spec)
          spec.root.readonly = false
          spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'))
        })
        replaceByLink(bundle, 'dev', target(outside.dir))
        await runtime.run([verb, '--bundle', bundle.dir, runtime.newId()])
        // Positive control: runc 1.1.5 deletes the canary and plants its links beside it.
        if (RUNC_LOSES) assert.notDeepEqual(outside.seen(), before)
        else assert.deepEqual(outside.seen(), before)
      })

  for (const name of ['dev/pts', 'dev/shm'])
    it(`/${name} is one, with the default mounts: nothing of the host changes`, async () => {
      const runtime = subject()
      const outside = canary(runtime)
      const before = outside.seen()
      const bundle = await runtime.bundle((spec) => {
        shell('echo x > /dev/shm/probe; echo x > /dev/pts/probe')(spec)
        spec.root.readonly = false
        spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/dev')
      })
      replaceByLink(bundle, name, join(outside.dir, name.slice(4)))
      await runtime.run(['run', '--bundle', bundle.dir, runtime.newId()])
      assert.deepEqual(outside.seen(), before)
    })
})

describeRuntime('S-13: /proc or /sys is a symlink', (subject) => {
  for (const [name, target] of [
    ['proc', '/tmp'],
    ['proc', '../../outside'],
    ['sys', '/tmp'],
  ] as const)
    it(`refuses /${name} → ${target}`, async () => {
      const runtime = subject()
      const outside = canary(runtime)
      const before = outside.seen()
      const bundle = await runtime.bundle((spec) => {
        shell('true')(spec)
        spec.root.readonly = false
      })
      replaceByLink(bundle, name, target)
      const result = await runtime.run(['run', '--bundle', bundle.dir, runtime.newId()])
      assert.notEqual(result.exitCode, 0)
      assert.deepEqual(outside.seen(), before)
      assert.deepEqual(runtime.remembered(), [])
    })
})

describeRuntime('S-14: a descriptor of the host as working directory', (subject) => {
  const NUMBERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20]

  it('run never starts with a working directory outside its root', async () => {
    const runtime = subject()
    for (const number of NUMBERS) {
      const { dir } = await runtime.bundle((spec) => {
        spec.process.cwd = `/proc/self/fd/${String(number)}`
        spec.process.args = ['/bin/report', 'facts', '../../../../..']
      })
      const result = await runtime.run(['run', '--bundle', dir, runtime.newId()])
      // Either it is refused, or the directory is one that has a name inside the root.
      if (result.exitCode === 0) assert.match(parseFacts(result.stdout).cwd, /^\/[^(]*$/)
    }
  })

  it('exec never starts with a working directory outside its root', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    for (const number of NUMBERS) {
      const result = await runtime.run([
        'exec',
        '--cwd',
        `/proc/self/fd/${String(number)}`,
        id,
        '/bin/report',
        'facts',
      ])
      if (result.exitCode === 0) assert.match(parseFacts(result.stdout).cwd, /^\/[^(]*$/)
    }
  })

  it('a symlinked working directory does not help', async () => {
    const runtime = subject()
    for (const number of NUMBERS) {
      const bundle = await runtime.bundle((spec) => {
        spec.process.cwd = '/work'
        // Reachable only from outside the root: the way up and down again to a directory of the host.
        shell(`ls ../../../../../../../..${runtime.workspace.dir} 2>/dev/null`)(spec)
      })
      symlinkSync(`/proc/self/fd/${String(number)}`, join(bundle.rootfs, 'work'))
      const result = await runtime.run(['run', '--bundle', bundle.dir, runtime.newId()])
      assert.doesNotMatch(result.stdout, /\S/)
    }
  })

  it('a created container holds no descriptor of the host but those it needs', async () => {
    const runtime = subject()
    const { id } = await runtime.holding(undefined, 'create')
    const { pid } = await runtime.state(id)
    const links = readdirSync(`/proc/${String(pid)}/fd`).map((fd) =>
      readlinkSync(`/proc/${String(pid)}/fd/${fd}`),
    )
    const needed =
      /^(pipe:|socket:|anon_inode:|\/dev\/null|\/dev\/pts\/|\/memfd:|.*exec\.fifo|.*\(deleted\)|\/proc\b|\/$)/
    const strange = links.filter((link) => !needed.test(link))
    assert.deepEqual(strange, [])
  })
})

describeRuntime('S-03: the container overwrites the program that starts it', (subject) => {
  const digest = (path: string): string =>
    createHash('sha256').update(readFileSync(path)).digest('hex')

  /** The installed files that a container could aim at. */
  function installed(): readonly string[] {
    const beside = dirname(runtimePath)
    return isOurs
      ? ['berth', 'berth.node', 'berth-init', 'berth-unpack'].map((name) => join(beside, name))
      : [runtimePath]
  }

  it('/proc/self/exe as entry point', async () => {
    const runtime = subject()
    const before = installed().map(digest)
    const { dir } = await runtime.bundle((spec) => {
      spec.process.args = ['/proc/self/exe', '--version']
      spec.root.readonly = false
    })
    await runtime.run(['run', '--bundle', dir, runtime.newId()])
    assert.deepEqual(installed().map(digest), before)
  })

  it('a loop that writes to /proc/N/exe of every process that enters', async () => {
    const runtime = subject()
    const before = installed().map(digest)
    // The container looks for any process whose executable is not one of its own, and writes into it.
    const attack = `
      while [ ! -e /tmp/stop ]; do
        for exe in /proc/[0-9]*/exe; do
          case $(readlink $exe) in /bin/*|"") ;; *) echo "saw $exe"; echo pwned > $exe ;; esac
        done 2>/dev/null
      done`
    const { dir, rootfs } = await runtime.bundle((spec) => {
      shell(`${attack.trim()}; echo done`)(spec)
      spec.root.readonly = false
    })
    symlinkSync('busybox', join(rootfs, 'bin/readlink'))
    const id = runtime.newId()
    const attacker = runtime.start(['run', '--bundle', dir, id])
    await until('the container to run', async () =>
      (await run(runtimePath, runtime.args(['state', id]))).stdout.includes('running'),
    )
    for (let round = 0; round < 30; round += 1) await runtime.run(['exec', id, '/bin/true'])
    writeFileSync(join(rootfs, 'tmp/stop'), '')
    await attacker.saw(/done/)
    assert.deepEqual(installed().map(digest), before)
  })

  it('an interpreter line that names /proc/self/exe', async () => {
    const runtime = subject()
    const before = installed().map(digest)
    const bundle = await runtime.bundle((spec) => {
      spec.process.args = ['/bin/script']
      spec.root.readonly = false
    })
    writeFileSync(join(bundle.rootfs, 'bin/script'), '#!/proc/self/exe\n', { mode: 0o755 })
    await runtime.run(['run', '--bundle', bundle.dir, runtime.newId()])
    assert.deepEqual(installed().map(digest), before)
  })
})

describeRuntime('a hostile working directory', (subject) => {
  it('the bundle’s bunfig.toml, .env, tsconfig.json and package.json are never read', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle(shell('echo fine'))
    const proof = runtime.workspace.path('pwned')
    plantTraps(dir, proof)
    const result = await runtime.run(['run', runtime.newId()], { cwd: dir })
    assert.equal(result.stdout, 'fine\n')
    assert.equal(result.stderr, '')
    assert.throws(() => readFileSync(proof))
  })
})
