import assert from 'node:assert/strict'

import { helper } from '../harness/helpers.ts'
import type { RunningProgram } from '../harness/process.ts'
import { parseFacts } from './facts.ts'
import { type RuntimeSubject, describeRuntime } from './subject.ts'

/** Starts the receiver of a console socket; what the terminal shows is its standard output. */
async function console(
  runtime: RuntimeSubject,
  rows = 30,
  cols = 100,
): Promise<[string, RunningProgram]> {
  const socket = runtime.workspace.path('console.sock')
  const receiver = runtime.workspace.start(
    await helper('console'),
    [socket, String(rows), String(cols)],
    {
      keepInput: true,
    },
  )
  await receiver.saw(/listening/, 'stderr')
  return [socket, receiver]
}

describeRuntime('runtime-spec config.md#process terminal', (subject) => {
  it('gives the program a controlling terminal of the size of the caller’s', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.terminal = true
      // runc sets the size beside the start: the program waits until it is there.
      spec.process.args = [
        '/bin/sh',
        '-c',
        'until [ "$(stty size 2>/dev/null)" = "33 101" ]; do :; done; exec /bin/report facts /dev/console',
      ]
    })
    const program = runtime.startOnTerminal(['run', '--bundle', dir, runtime.newId()], {
      rows: 33,
      cols: 101,
    })
    const { exitCode, stdout } = await program.wait()
    assert.equal(exitCode, 0)
    const facts = parseFacts(stdout)
    assert.deepEqual(
      [facts.tty[0], facts.tty[1], facts.tty[2], facts.tty.controlling, facts.tty.name],
      [true, true, true, true, '/dev/pts/0'],
    )
    assert.deepEqual([facts.tty.rows, facts.tty.cols], [33, 101])
    assert.equal(facts.paths['/dev/console']?.type, 'char')
  })

  it('sets consoleSize with --console-socket', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.terminal = true
      spec.process.consoleSize = { height: 44, width: 55 }
      spec.process.args = ['/bin/sh', '-c', 'read go; exec /bin/report facts']
    })
    const [socket, receiver] = await console(runtime, 44, 55)
    const id = runtime.newId()
    await runtime.runOk(['run', '--detach', '--console-socket', socket, '--bundle', dir, id])
    await receiver.saw(/received/, 'stderr')
    receiver.write('go\n')
    await receiver.saw(/\{"pid":.*\}\s/)
    const { tty } = parseFacts(receiver.stdout())
    assert.deepEqual([tty.rows, tty.cols, tty.controlling], [44, 55, true])
    await runtime.untilStatus(id, 'stopped')
  })

  it('hands the terminal over with create and keeps it over start', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.terminal = true
      spec.process.args = ['/bin/sh', '-c', 'echo "size $(stty size)"; read word; echo "got $word"']
    })
    const [socket, receiver] = await console(runtime)
    const id = runtime.newId()
    await runtime.runOk(['create', '--console-socket', socket, '--bundle', dir, id])
    await receiver.saw(/received/, 'stderr')
    await runtime.runOk(['start', id])
    await receiver.saw(/size 30 100/)
    receiver.write('word\n')
    await receiver.saw(/got word/)
    await receiver.wait()
    await runtime.untilStatus(id, 'stopped')
  })

  it('wants a console socket when it detaches with a terminal', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.terminal = true
    })
    const { exitCode, stderr } = await runtime.run([
      'run',
      '--detach',
      '--bundle',
      dir,
      runtime.newId(),
    ])
    assert.notEqual(exitCode, 0)
    assert.match(stderr, /console.socket/)
    assert.deepEqual(runtime.remembered(), [])
  })

  it('exec --tty gives a terminal', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const program = runtime.startOnTerminal(['exec', '--tty', id, '/bin/sh'])
    program.write('/bin/report facts; exit 5\n')
    const { exitCode, stdout } = await program.wait()
    assert.equal(exitCode, 5)
    const { tty } = parseFacts(stdout)
    assert.deepEqual([tty[0], tty[1], tty[2], tty.controlling], [true, true, true, true])
  })

  it('exec --tty --console-socket --detach hands the terminal over', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const [socket, receiver] = await console(runtime)
    await runtime.runOk([
      'exec',
      '--tty',
      '--detach',
      '--console-socket',
      socket,
      id,
      '/bin/sh',
      '-c',
      'echo on a tty; tty',
    ])
    await receiver.saw(/on a tty/)
    await receiver.wait()
  })

  it('an interrupt typed at the terminal reaches the program', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle((spec) => {
      spec.process.terminal = true
      spec.process.args = [
        '/bin/sh',
        '-c',
        'trap "echo interrupted; exit 3" INT; echo ready; while :; do sleep 1; done',
      ]
    })
    const program = runtime.startOnTerminal(['run', '--bundle', dir, runtime.newId()])
    await program.saw(/ready/)
    program.write('\x03')
    const { exitCode, stdout } = await program.wait()
    assert.match(stdout, /interrupted/)
    assert.equal(exitCode, 3)
  })
})
