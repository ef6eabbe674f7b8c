import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { until } from '../harness/until.ts'
import { parseFacts } from './facts.ts'
import { describeRuntime, shell } from './subject.ts'
import type { Spec } from './spec-config.ts'

describeRuntime('runtime-spec runtime.md#lifecycle', (subject) => {
  it('goes through create, start, kill, delete, showing each state', async () => {
    const runtime = subject()
    const { id, bundle } = await runtime.holding(undefined, 'create')
    const created = await runtime.state(id)
    assert.equal(created.status, 'created')
    assert.equal(created.id, id)
    assert.equal(created.bundle, bundle.dir)
    assert.match(created.ociVersion, /^1\./)
    assert.ok(created.pid !== undefined && existsSync(`/proc/${String(created.pid)}`))

    await runtime.runOk(['start', id])
    const running = await runtime.state(id)
    assert.equal(running.status, 'running')
    assert.equal(running.pid, created.pid)

    await until('the program to wait for signals', () =>
      readFileSync(`/proc/${String(created.pid)}/comm`, 'utf8').startsWith('report'),
    )
    await runtime.runOk(['kill', id, 'TERM'])
    await runtime.untilStatus(id, 'stopped')
    await runtime.runOk(['delete', id])
    assert.notEqual((await runtime.run(['state', id])).exitCode, 0)
    assert.deepEqual(runtime.remembered(), [])
  })

  it('does not run the program before start', async () => {
    const runtime = subject()
    const { dir, rootfs } = await runtime.bundle((spec) => {
      shell('echo ran > /tmp/ran')(spec)
      spec.root.readonly = false
    })
    const id = runtime.newId()
    await runtime.runOk(['create', '--bundle', dir, id])
    assert.equal(existsSync(join(rootfs, 'tmp/ran')), false)
    await runtime.runOk(['start', id])
    await runtime.untilStatus(id, 'stopped')
    assert.equal(readFileSync(join(rootfs, 'tmp/ran'), 'utf8'), 'ran\n')
  })

  it('keeps the annotations in the state', async () => {
    const runtime = subject()
    const { id } = await runtime.holding((spec) => {
      spec.annotations = { 'org.example.key': 'value' }
    })
    const state = await runtime.state(id)
    assert.equal(state.annotations?.['org.example.key'], 'value')
  })

  it('refuses to start twice', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const again = await runtime.run(['start', id])
    assert.notEqual(again.exitCode, 0)
    assert.equal((await runtime.state(id)).status, 'running')
  })

  it('refuses to delete a running container without --force', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    assert.notEqual((await runtime.run(['delete', id])).exitCode, 0)
    assert.equal((await runtime.state(id)).status, 'running')
    await runtime.runOk(['delete', '--force', id])
    assert.deepEqual(runtime.remembered(), [])
  })

  it('deletes a created container with --force', async () => {
    const runtime = subject()
    const { id } = await runtime.holding(undefined, 'create')
    const { pid } = await runtime.state(id)
    await runtime.runOk(['delete', '--force', id])
    assert.equal(existsSync(`/proc/${String(pid)}/exe`), false)
    assert.deepEqual(runtime.remembered(), [])
  })

  it('delete --force of an unknown container succeeds', async () => {
    assert.equal(
      (await subject().run(['delete', '--force', subject().workspace.newId()])).exitCode,
      0,
    )
  })

  it('refuses to kill a stopped container', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    await runtime.runOk(['kill', id, 'KILL'])
    await runtime.untilStatus(id, 'stopped')
    assert.notEqual((await runtime.run(['kill', id, 'TERM'])).exitCode, 0)
  })
})

describeRuntime('runtime command line: run', (subject) => {
  it('runs the default spec bundle on a terminal', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.terminal = true
    })
    const program = runtime.startOnTerminal(['run', '--bundle', dir, runtime.newId()])
    program.write('echo "sum $((20 + 3))"; exit 4\n')
    await program.saw(/sum 23/)
    assert.equal((await program.wait()).exitCode, 4)
    assert.deepEqual(runtime.remembered(), [])
  })

  it('takes the bundle from the working directory', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle(shell('echo here'))
    const { stdout } = await runtime.runOk(['run', runtime.newId()], { cwd: dir })
    assert.equal(stdout, 'here\n')
  })

  for (const code of [0, 1, 7, 125, 255])
    it(`passes on exit code ${String(code)}`, async () => {
      const { exitCode } = await subject().runBundle(shell(`exit ${String(code)}`))
      assert.equal(exitCode, code)
    })

  for (const [name, number] of [
    ['KILL', 9],
    ['SEGV', 11],
    ['TERM', 15],
  ] as const)
    it(`reports death by SIG${name} as ${String(128 + number)}`, async () => {
      // Process 1 of a namespace cannot kill itself: the signal comes from outside.
      const runtime = subject()
      const { dir } = await runtime.bundle((spec) => {
        spec.process.args = ['/bin/sleep', '1000']
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'pid')
      })
      const id = runtime.newId()
      const program = runtime.start(['run', '--bundle', dir, id])
      await until('the container to run', async () => {
        const { stdout } = await runtime.run(['state', id])
        return stdout.includes('"running"')
      })
      await runtime.runOk(['kill', id, name])
      assert.equal((await program.wait()).exitCode, 128 + number)
    })

  it('connects the three standard streams', async () => {
    const runtime = subject()
    const result = await runtime.runBundle(
      shell('read line; echo "out $line"; echo "err $line" >&2'),
      {
        input: 'hello\n',
      },
    )
    assert.equal(result.stdout, 'out hello\n')
    assert.equal(result.stderr, 'err hello\n')
  })

  it('passes large input and output unchanged', async () => {
    const input = Buffer.alloc(3_000_000, 'abcdefg\n')
    const { stdout } = await subject().runBundle(shell('exec /bin/cat'), { input })
    assert.equal(stdout.length, input.length)
    assert.equal(stdout, input.toString())
  })

  it('forwards SIGTERM to the program', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.args = ['/bin/report', 'hold']
    })
    const program = runtime.start(['run', '--bundle', dir, runtime.newId()])
    await program.saw(/ready/)
    program.kill('SIGTERM')
    const { exitCode, stdout } = await program.wait()
    assert.match(stdout, /signal 15/)
    assert.equal(exitCode, 15)
  })

  it('writes --pid-file', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.args = ['/bin/report', 'hold']
    })
    const id = runtime.newId()
    const pidFile = subject().workspace.path('pid')
    await runtime.runOk(['run', '--detach', '--pid-file', pidFile, '--bundle', dir, id])
    const { pid } = await runtime.state(id)
    assert.equal(readFileSync(pidFile, 'utf8').trim(), String(pid))
  })

  it('--detach returns while the program runs', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    assert.equal((await runtime.state(id)).status, 'running')
  })

  it('--preserve-fds passes further descriptors and no others', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.args = ['/bin/report', 'facts']
    })
    const fd = openSync(subject().workspace.path('extra'), 'w')
    const { stdout } = await runtime.runOk(
      ['run', '--preserve-fds', '1', '--bundle', dir, runtime.newId()],
      {
        inherit: [fd, fd],
      },
    )
    closeSync(fd)
    const { fds } = parseFacts(stdout)
    assert.deepEqual(Object.keys(fds), ['0', '1', '2', '3'])
    assert.equal(fds['3'], subject().workspace.path('extra'))
  })
})

describeRuntime('runtime command line: exec', (subject) => {
  it('runs a second process in the namespaces of the container', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const { pid } = await runtime.state(id)
    const { stdout } = await runtime.runOk(['exec', id, '/bin/report', 'facts'])
    const facts = parseFacts(stdout)
    assert.notEqual(facts.pid, 1)
    for (const kind of ['ipc', 'mnt', 'net', 'pid', 'uts'])
      assert.equal(facts.namespaces[kind], readlinkSync(`/proc/${String(pid)}/ns/${kind}`))
    assert.equal(facts.noNewPrivs, 1)
    assert.equal(facts.cwd, '/')
    assert.deepEqual(Object.keys(facts.fds), ['0', '1', '2'])
  })

  it('puts the process into the cgroups of the container', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const { pid } = await runtime.state(id)
    const { stdout } = await runtime.runOk(['exec', id, '/bin/report', 'facts'])
    const initCgroups = readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8')
      .trim()
      .split('\n')
    assert.deepEqual(parseFacts(stdout).cgroup, initCgroups)
  })

  it('takes --cwd, --env and --user', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const { stdout } = await runtime.runOk([
      'exec',
      '--cwd',
      '/tmp',
      '--env',
      'EXTRA=yes',
      '--user',
      '1000:1001',
      id,
      '/bin/report',
      'facts',
    ])
    const facts = parseFacts(stdout)
    assert.equal(facts.cwd, '/tmp')
    assert.ok(facts.env.includes('EXTRA=yes'))
    assert.deepEqual(facts.uids, [1000, 1000, 1000])
    assert.deepEqual(facts.gids, [1001, 1001, 1001])
  })

  it('takes a process document', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const file = subject().workspace.path('process.json')
    writeFileSync(
      file,
      JSON.stringify({
        args: ['/bin/report', 'facts'],
        env: ['ONLY=this'],
        cwd: '/etc',
        user: { uid: 5, gid: 6, additionalGids: [7] },
        capabilities: { bounding: ['CAP_KILL'], effective: [], permitted: [] },
      }),
    )
    const facts = parseFacts((await runtime.runOk(['exec', '--process', file, id])).stdout)
    assert.equal(facts.cwd, '/etc')
    assert.deepEqual(facts.uids, [5, 5, 5])
    assert.ok(facts.groups.includes(7))
    assert.ok(facts.env.includes('ONLY=this'))
    assert.equal(facts.status['CapBnd'], '0000000000000020')
  })

  for (const code of [0, 7, 255])
    it(`passes on exit code ${String(code)}`, async () => {
      const runtime = subject()
      const { id } = await runtime.holding()
      const { exitCode } = await runtime.run(['exec', id, '/bin/sh', '-c', `exit ${String(code)}`])
      assert.equal(exitCode, code)
    })

  it('reports death by a signal as 128 + number', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const { exitCode } = await runtime.run(['exec', id, '/bin/sh', '-c', 'kill -KILL $$'])
    assert.equal(exitCode, 137)
  })

  it('connects the standard streams', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const result = await runtime.run(['exec', id, '/bin/sh', '-c', 'cat; echo err >&2'], {
      input: 'in',
    })
    assert.equal(result.stdout, 'in')
    assert.equal(result.stderr, 'err\n')
  })

  it('--detach with --pid-file leaves the process running', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const pidFile = subject().workspace.path('exec-pid')
    await runtime.runOk(['exec', '--detach', '--pid-file', pidFile, id, '/bin/sleep', '1000'])
    const pid = readFileSync(pidFile, 'utf8').trim()
    await until('the process to run its program', () =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('sleep'),
    )
    assert.equal(
      readlinkSync(`/proc/${pid}/ns/pid`),
      readlinkSync(`/proc/${String((await runtime.state(id)).pid)}/ns/pid`),
    )
  })

  it('refuses a stopped container', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    await runtime.runOk(['kill', id, 'KILL'])
    await runtime.untilStatus(id, 'stopped')
    assert.notEqual((await runtime.run(['exec', id, '/bin/true'])).exitCode, 0)
  })
})

describeRuntime('runtime command line: kill', (subject) => {
  for (const [word, number] of [
    ['TERM', 15],
    ['SIGUSR1', 10],
    ['12', 12],
    ['hup', 1],
  ] as const)
    it(`sends ${word} as signal ${String(number)}`, async () => {
      const runtime = subject()
      const { id, program } = await runtime.holding()
      await runtime.runOk(['kill', id, word])
      await runtime.untilStatus(id, 'stopped')
      assert.match(program.stdout(), new RegExp(`signal ${String(number)}\\n`))
    })

  it('sends SIGTERM when no signal is named', async () => {
    const runtime = subject()
    const { id, program } = await runtime.holding()
    await runtime.runOk(['kill', id])
    await runtime.untilStatus(id, 'stopped')
    assert.match(program.stdout(), /signal 15\n/)
  })

  it('refuses an unknown signal and leaves the container alone', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    assert.notEqual((await runtime.run(['kill', id, 'NOSUCH'])).exitCode, 0)
    assert.equal((await runtime.state(id)).status, 'running')
  })

  it('--all ends every process of a container without a pid namespace', async () => {
    const runtime = subject()
    const { id } = await runtime.holding((spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'pid')
    })
    const pidFile = subject().workspace.path('exec-pid')
    await runtime.runOk(['exec', '--detach', '--pid-file', pidFile, id, '/bin/sleep', '1000'])
    const pid = readFileSync(pidFile, 'utf8').trim()
    await runtime.runOk(['kill', '--all', id, 'KILL'])
    await runtime.untilStatus(id, 'stopped')
    await until('the second process to end', () => !existsSync(`/proc/${pid}/exe`))
    // A zombie whose parent is not ours has no exe either: both are an end.
    assert.equal(existsSync(`/proc/${pid}/exe`), false)
  })
})

describeRuntime('runtime command line: list and ps', (subject) => {
  it('list shows id, pid, status and bundle of each container', async () => {
    const runtime = subject()
    const { id, bundle } = await runtime.holding()
    const other = await runtime.holding(undefined, 'create')
    const { pid } = await runtime.state(id)
    const { stdout } = await runtime.runOk(['list'])
    const [heading = '', ...lines] = stdout.trimEnd().split('\n')
    assert.match(heading, /^ID\s+PID\s+STATUS\s+BUNDLE\s+CREATED\s+OWNER/)
    assert.equal(lines.length, 2)
    const line = lines.find((candidate) => candidate.startsWith(`${id} `)) ?? ''
    assert.match(
      line,
      new RegExp(`^${id}\\s+${String(pid)}\\s+running\\s+${bundle.dir}\\s+\\S+\\s+root`),
    )
    assert.match(stdout, new RegExp(`${other.id}\\s+\\d+\\s+created`))
  })

  it('list --format json and --quiet', async () => {
    const runtime = subject()
    const { id, bundle } = await runtime.holding()
    const listed = JSON.parse((await runtime.runOk(['list', '--format', 'json'])).stdout) as {
      id: string
      status: string
      bundle: string
      pid: number
      created: string
      owner: string
    }[]
    assert.equal(listed.length, 1)
    assert.deepEqual(
      listed.map((item) => [item.id, item.status, item.bundle, item.owner]),
      [[id, 'running', bundle.dir, 'root']],
    )
    assert.ok(Number.isFinite(Date.parse(listed[0]?.created ?? '')))
    assert.equal((await runtime.runOk(['list', '--quiet'])).stdout, `${id}\n`)
  })

  it('list of an empty root is only a heading', async () => {
    const { stdout } = await subject().runOk(['list'])
    assert.equal(stdout.trimEnd().split('\n').length, 1)
  })

  it('ps shows the processes as the host sees them', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const { pid } = await runtime.state(id)
    const pidFile = subject().workspace.path('exec-pid')
    await runtime.runOk(['exec', '--detach', '--pid-file', pidFile, id, '/bin/sleep', '1000'])
    const second = Number(readFileSync(pidFile, 'utf8'))
    const pids = JSON.parse(
      (await runtime.runOk(['ps', '--format', 'json', id])).stdout,
    ) as number[]
    assert.deepEqual(
      pids.toSorted((a, b) => a - b),
      [pid, second].toSorted((a = 0, b = 0) => a - b),
    )
    const table = (await runtime.runOk(['ps', id])).stdout
    assert.match(table, /^UID\s+PID/)
    assert.match(table, new RegExp(`\\s${String(pid)}\\s.*report hold`))
  })
})

describeRuntime('runtime command line: spec and features', (subject) => {
  it('spec writes a configuration with the default sandbox', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle()
    const spec = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as Spec
    assert.deepEqual(spec.process.args, ['sh'])
    assert.equal(spec.process.noNewPrivileges, true)
    assert.equal(spec.root.path, 'rootfs')
    assert.equal(spec.root.readonly, true)
    const kinds = spec.linux.namespaces.map(({ type }) => type)
    for (const kind of ['pid', 'network', 'ipc', 'uts', 'mount'])
      assert.ok(kinds.includes(kind), kind)
    assert.ok((spec.linux.maskedPaths ?? []).includes('/proc/kcore'))
    assert.ok((spec.linux.readonlyPaths ?? []).includes('/proc/sys'))
    assert.deepEqual(
      spec.mounts.map(({ destination }) => destination),
      ['/proc', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys', '/sys/fs/cgroup'],
    )
  })

  it('spec does not overwrite a configuration', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle()
    const before = readFileSync(join(dir, 'config.json'), 'utf8')
    assert.notEqual((await runtime.run(['spec', '--bundle', dir])).exitCode, 0)
    assert.equal(readFileSync(join(dir, 'config.json'), 'utf8'), before)
  })

  it('features is a document with what the runtime knows', async () => {
    const features = JSON.parse((await subject().runOk(['features'])).stdout) as {
      ociVersionMin: string
      ociVersionMax: string
      hooks: string[]
      mountOptions: string[]
      linux: { namespaces: string[]; capabilities: string[] }
    }
    assert.match(features.ociVersionMin, /^1\.0/)
    for (const hook of [
      'prestart',
      'createRuntime',
      'createContainer',
      'startContainer',
      'poststart',
      'poststop',
    ])
      assert.ok(features.hooks.includes(hook), hook)
    for (const option of ['ro', 'rbind', 'nosuid', 'rslave'])
      assert.ok(features.mountOptions.includes(option), option)
    for (const kind of ['pid', 'network', 'mount', 'user'])
      assert.ok(features.linux.namespaces.includes(kind), kind)
  })

  it('--version names the specification version', async () => {
    const { stdout } = await subject().runOk(['--version'])
    assert.match(stdout, /version \S+/)
    assert.match(stdout, /spec: 1\.\d+\.\d+/)
  })
})
