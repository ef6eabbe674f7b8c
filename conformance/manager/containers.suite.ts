import assert from 'node:assert/strict'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'

import { hasCgroupV1, need } from '../harness/needs.ts'
import { until } from '../harness/until.ts'
import { BUSYBOX, PATIENT, assertRefused, describeManager } from './subject.ts'

describeManager('containerd API: run through ctr', (subject) => {
  it('prints what the program prints and passes on its exit code', async () => {
    const { manager } = subject()
    const result = await manager.ctr([
      'run',
      '--rm',
      BUSYBOX,
      subject().newId(),
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    ])
    assert.equal(result.exitCode, 7)
    assert.equal(result.stdout, 'out\n')
    assert.match(result.stderr, /err\n/)
  })

  it('--rm leaves no container, no task and no snapshot', async () => {
    const { manager } = subject()
    const before = (await manager.ctrOk(['snapshots', 'ls'])).stdout
    await manager.ctrOk(['run', '--rm', BUSYBOX, subject().newId(), 'true'])
    assert.deepEqual(await manager.containers(), [])
    assert.deepEqual([...(await manager.tasks()).keys()], [])
    assert.equal((await manager.ctrOk(['snapshots', 'ls'])).stdout, before)
  })

  it('connects standard input', async () => {
    const { manager } = subject()
    // ctr 1.6 never closes the input of `run`, so the program must not wait for its end.
    const { stdout } = await manager.ctrOk(
      ['run', '--rm', BUSYBOX, subject().newId(), 'sh', '-c', 'read line; echo "$line"'],
      { input: 'through\n' },
    )
    assert.equal(stdout, 'through\n')
  })

  it('passes large output unchanged', async () => {
    const { manager } = subject()
    const { stdout } = await manager.ctrOk([
      'run',
      '--rm',
      BUSYBOX,
      subject().newId(),
      'sh',
      '-c',
      'seq 1 300000',
    ])
    assert.equal(stdout.length, 1_988_895)
    assert.match(stdout, /^1\n2\n/)
    assert.match(stdout, /\n299999\n300000\n$/)
  })

  it('gives a terminal', async () => {
    const program = subject().onTerminal(['run', '--rm', '--tty', BUSYBOX, subject().newId(), 'sh'])
    program.write('tty; echo "sum $((20 + 3))"; exit 4\n')
    await program.saw(/sum 23/)
    const { exitCode, stdout } = await program.wait()
    assert.equal(exitCode, 4)
    assert.match(stdout, /\/dev\/pts\/0/)
  })

  it('takes environment, working directory, labels, mounts and read-only root', async () => {
    const { manager, workspace } = subject()
    const dir = workspace.makeDir('shared')
    const { stdout } = await manager.ctrOk([
      'run',
      '--rm',
      '--env',
      'A=b c',
      '--cwd',
      '/etc',
      '--label',
      'x=y',
      '--read-only',
      '--mount',
      `type=bind,src=${dir},dst=/tmp,options=rbind:rw`,
      BUSYBOX,
      subject().newId(),
      'sh',
      '-c',
      'echo "$A $PWD"; echo x > /tmp/written; echo x > /etc/no || echo read-only',
    ])
    assert.match(stdout, /^b c \/etc\n/)
    assert.match(stdout, /read-only/)
    assert.equal(readFileSync(`${dir}/written`, 'utf8'), 'x\n')
  })

  it('shows the isolation of a default container', async () => {
    const { manager } = subject()
    const { stdout } = await manager.ctrOk([
      'run',
      '--rm',
      BUSYBOX,
      subject().newId(),
      'sh',
      '-c',
      'echo pid $$; readlink /proc/self/ns/net; grep -E "^(NoNewPrivs|CapBnd)" /proc/self/status',
    ])
    assert.match(stdout, /^pid 1\n/)
    assert.equal(stdout.includes(readlinkSync('/proc/self/ns/net')), false)
    assert.match(stdout, /NoNewPrivs:\t1/)
    assert.match(stdout, /CapBnd:\t00000000a80425fb/)
  })

  it('memory and cpu limits arrive', async function () {
    need(this, hasCgroupV1('memory'), 'no cgroup v1 hierarchies')
    const id = await subject().runDetached(PATIENT, [
      '--memory-limit',
      '33554432',
      '--cpu-shares',
      '256',
    ])
    const cgroups = readFileSync(`/proc/${String(await subject().pid(id))}/cgroup`, 'utf8')
    const value = (controller: string, file: string): string => {
      const path = new RegExp(`^\\d+:${controller}:(.*)$`, 'm').exec(cgroups)?.[1] ?? ''
      return readFileSync(`/sys/fs/cgroup/${controller}${path}/${file}`, 'utf8').trim()
    }
    assert.equal(value('memory', 'memory.limit_in_bytes'), '33554432')
    assert.equal(value('cpu', 'cpu.shares'), '256')
  })

  for (const [what, command, code] of [
    ['a program that is not there', ['no-such-program'], /no-such-program/],
    ['a file that is not executable', ['/etc/passwd'], /\/etc\/passwd/],
  ] as const)
    it(`fails with a sentence for ${what} and leaves nothing`, async () => {
      const { manager } = subject()
      assertRefused(
        await manager.ctr(['run', '--rm', BUSYBOX, subject().newId(), ...command]),
        code,
      )
      assert.deepEqual([...(await manager.tasks()).keys()], [])
    })

  it('refuses an id that is in use', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    assertRefused(
      await manager.ctr(['run', '--rm', BUSYBOX, id, 'true']),
      /already exists/,
      new RegExp(id),
    )
    assert.equal(await subject().status(id), 'RUNNING')
  })

  for (const id of ['with/slash', '..', 'white space', 'a'.repeat(77)])
    it(`refuses the id ${JSON.stringify(id)}`, async () => {
      const { manager } = subject()
      assertRefused(await manager.ctr(['run', '--rm', BUSYBOX, id, 'true']))
      assert.deepEqual(await manager.containers(), [])
    })

  it('refuses an unknown image', async () => {
    const { manager } = subject()
    assertRefused(
      await manager.ctr(['run', '--rm', 'localhost/unknown:test', subject().newId(), 'true']),
      /localhost\/unknown:test/,
      /not found/,
    )
  })
})

describeManager('containerd API: tasks', (subject) => {
  it('run --detach, task ls, kill, exit code by task rm, container rm', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    assert.ok(existsSync(`/proc/${String(await subject().pid(id))}`))
    assert.ok((await manager.containers()).includes(id))
    await manager.ctrOk(['task', 'kill', '--signal', 'SIGTERM', id])
    await subject().untilStatus(id, 'STOPPED')
    assert.match((await manager.ctrOk(['task', 'rm', id])).stderr, /non-zero exit code 9\b/)
    assert.equal(await subject().status(id), undefined)
    await manager.ctrOk(['container', 'rm', id])
    assert.deepEqual(await manager.containers(), [])
  })

  it('reports death by SIGKILL as 137', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    await manager.ctrOk(['task', 'kill', '--signal', 'SIGKILL', id])
    await subject().untilStatus(id, 'STOPPED')
    assert.match((await manager.ctrOk(['task', 'rm', id])).stderr, /non-zero exit code 137\b/)
  })

  it('exec runs a second process and passes on its output and exit code', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    const result = await manager.ctr([
      'task',
      'exec',
      '--exec-id',
      'e1',
      id,
      'sh',
      '-c',
      'echo inside; exit 5',
    ])
    assert.equal(result.stdout, 'inside\n')
    assert.equal(result.exitCode, 5)
    // The id is free again.
    assert.equal((await manager.ctr(['task', 'exec', '--exec-id', 'e1', id, 'true'])).exitCode, 0)
  })

  it('exec connects standard input', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    const { stdout } = await manager.ctrOk(['task', 'exec', '--exec-id', 'e1', id, 'cat'], {
      input: 'to exec\n',
    })
    assert.equal(stdout, 'to exec\n')
  })

  it('exec --tty gives a terminal', async () => {
    const id = await subject().runDetached(PATIENT)
    const program = subject().onTerminal(['task', 'exec', '--tty', '--exec-id', 'e1', id, 'sh'])
    program.write('tty && echo "sum $((20 + 3))"; exit 6\n')
    await program.saw(/sum 23/)
    const { exitCode, stdout } = await program.wait()
    assert.equal(exitCode, 6)
    assert.match(stdout, /\/dev\/pts\/\d/)
  })

  it('exec of a missing program fails with its name, and the task lives on', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    assertRefused(
      await manager.ctr(['task', 'exec', '--exec-id', 'e1', id, 'no-such-program']),
      /no-such-program/,
    )
    assert.equal(await subject().status(id), 'RUNNING')
  })

  it('pause stops the processes, resume lets them go on', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    await manager.ctrOk(['task', 'pause', id])
    assert.equal(await subject().status(id), 'PAUSED')
    await manager.ctrOk(['task', 'resume', id])
    assert.equal(await subject().status(id), 'RUNNING')
    await manager.ctrOk(['task', 'kill', id])
    await subject().untilStatus(id, 'STOPPED')
  })

  it('ps lists the processes, metrics have numbers', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    const pid = await subject().pid(id)
    assert.match(
      (await manager.ctrOk(['task', 'ps', id])).stdout,
      new RegExp(`^${String(pid)}\\s`, 'm'),
    )
    assert.match(
      (await manager.ctrOk(['task', 'metrics', id])).stdout,
      /memory\.usage_in_bytes\s+\d+|memory\.usage\s+\d+/,
    )
  })

  it('refuses to remove a running task without --force', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    assertRefused(await manager.ctr(['task', 'rm', id]))
    assert.equal(await subject().status(id), 'RUNNING')
    assert.match(
      (await manager.ctrOk(['task', 'rm', '--force', id])).stderr,
      /non-zero exit code 137\b/,
    )
  })

  it('refuses to remove a container whose task runs', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    assertRefused(await manager.ctr(['container', 'rm', id]))
    assert.ok((await manager.containers()).includes(id))
  })

  for (const verb of [['kill'], ['rm'], ['pause'], ['resume'], ['ps'], ['metrics']])
    it(`task ${verb.join(' ')} of an unknown container says not found`, async () => {
      const id = subject().newId()
      assertRefused(await subject().manager.ctr(['task', ...verb, id]), /not found/, new RegExp(id))
    })

  it('attach shows the output again', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(['sh', '-c', 'while :; do echo tick; sleep 0.05; done'])
    const attached = manager.ctrStart(['task', 'attach', id])
    await attached.saw(/tick/)
    await manager.ctrOk(['task', 'kill', '--signal', 'SIGKILL', id])
    await attached.wait()
  })

  it('container info shows image, labels, snapshot and runtime', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT, ['--label', 'x=y'])
    const info = JSON.parse((await manager.ctrOk(['container', 'info', id])).stdout) as {
      ID: string
      Image: string
      Labels: Record<string, string>
      Snapshotter: string
      SnapshotKey: string
      Runtime: { Name: string }
      Spec: { process: { args: string[] } }
    }
    assert.equal(info.ID, id)
    assert.equal(info.Image, BUSYBOX)
    assert.equal(info.Labels['x'], 'y')
    assert.equal(info.Snapshotter, 'overlayfs')
    assert.equal(info.SnapshotKey, id)
    assert.equal(info.Runtime.Name, 'io.containerd.runc.v2')
    assert.deepEqual(info.Spec.process.args, PATIENT)
  })
})

describeManager('containerd API: events', (subject) => {
  it('come in the order of the life of a container', async () => {
    const { manager } = subject()
    const events = manager.ctrStart(['events'])
    const marker = `localhost/marker-${subject().newId()}`
    // The subscription is there when an event that we cause arrives.
    await until('the subscription', async () => {
      await manager.ctrOk(['images', 'tag', '--force', BUSYBOX, marker])
      return events.stdout().includes(marker)
    })
    const id = subject().newId()
    await manager.ctrOk(['run', '--rm', BUSYBOX, id, 'true'])
    await events.saw(new RegExp(`/containers/delete .*${id}`))
    const topics = events
      .stdout()
      .split('\n')
      .filter((line) => line.includes(id))
      .flatMap((line) => / (\/\S+) \{/.exec(line)?.[1] ?? [])
    const expected = [
      '/snapshot/prepare',
      '/containers/create',
      '/tasks/create',
      '/tasks/start',
      '/tasks/exit',
      '/tasks/delete',
      '/snapshot/remove',
      '/containers/delete',
    ]
    // The snapshot of a container has its own order against its container; the life of the task is strict.
    assert.deepEqual(topics.toSorted(), expected.toSorted())
    const life = (list: readonly string[]): readonly string[] =>
      list.filter((topic) => !topic.startsWith('/snapshot'))
    assert.deepEqual(life(topics), life(expected))
    await manager.ctrOk(['images', 'rm', marker])
  })

  it('an exit event carries the code', async () => {
    const { manager } = subject()
    const events = manager.ctrStart(['events'])
    const marker = `localhost/marker-${subject().newId()}`
    await until('the subscription', async () => {
      await manager.ctrOk(['images', 'tag', '--force', BUSYBOX, marker])
      return events.stdout().includes(marker)
    })
    const id = subject().newId()
    await manager.ctr(['run', '--rm', BUSYBOX, id, 'sh', '-c', 'exit 42'])
    const [line] = await events.saw(new RegExp(`/tasks/exit .*${id}.*`))
    assert.match(line, /"exit_status":42/)
    await manager.ctrOk(['images', 'rm', marker])
  })
})

describeManager('containerd API: version, namespaces, leases', (subject) => {
  it('version names the server', async () => {
    const { stdout } = await subject().manager.ctrOk(['version'])
    assert.match(stdout, /Server:\n\s+Version:\s+\S+\n\s+Revision:.*\n\s+UUID: [0-9a-f-]{36}/)
  })

  it('plugins lists what clients look for', async () => {
    const { stdout } = await subject().manager.ctrOk(['plugins', 'ls'])
    assert.match(stdout, /io\.containerd\.snapshotter\.v1\s+overlayfs\s+linux\/amd64.*\s+ok/)
    assert.match(stdout, /io\.containerd\.content\.v1\s+content\s.*ok/)
  })

  it('namespaces can be made, labelled, listed and removed, and separate what is in them', async () => {
    const { manager } = subject()
    const name = subject().newId()
    await manager.ctrOk(['namespaces', 'create', name, 'color=blue'])
    assert.match(
      (await manager.ctrOk(['namespaces', 'ls'])).stdout,
      new RegExp(`${name}\\s+color=blue`),
    )
    await manager.ctrOk(['namespaces', 'label', name, 'color=red'])
    assert.match(
      (await manager.ctrOk(['namespaces', 'ls'])).stdout,
      new RegExp(`${name}\\s+color=red`),
    )
    assert.equal((await manager.ctrOk(['--namespace', name, 'images', 'ls', '-q'])).stdout, '')
    await manager.ctrOk(['namespaces', 'rm', name])
    assert.doesNotMatch((await manager.ctrOk(['namespaces', 'ls'])).stdout, new RegExp(name))
  })

  it('a namespace with an image cannot be removed', async () => {
    const { manager } = subject()
    assertRefused(await manager.ctr(['namespaces', 'rm', 'default']), /empty/)
    assert.match((await manager.ctrOk(['images', 'ls', '-q'])).stdout, /busybox/)
  })

  it('leases can be made, listed and removed', async () => {
    const { manager } = subject()
    const id = subject().newId()
    await manager.ctrOk(['leases', 'create', '--id', id, 'color=blue'])
    assert.match((await manager.ctrOk(['leases', 'ls'])).stdout, new RegExp(`${id}\\s.*color=blue`))
    await manager.ctrOk(['leases', 'rm', id])
    assert.doesNotMatch((await manager.ctrOk(['leases', 'ls'])).stdout, new RegExp(id))
  })
})
