import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Container } from '../container.ts'
import { readExitRecord } from '../exit-record.ts'
import { SILENT_LOG } from '../log.ts'
import { pidOf } from '../process-state.ts'
import type { TaskEvent } from '../task-events.ts'
import { FakeDriver } from './fake-driver.ts'

const NO_STREAMS = { terminal: false, stdin: '', stdout: '', stderr: '' }

/** `topic` or `topic:exec` in the order in which they were published. */
function nameOf({ topic, message }: TaskEvent): string {
  const subject = 'execId' in message ? message.execId : 'id' in message ? message.id : ''
  return subject === '' || subject === 'c1' ? topic : `${topic}:${subject}`
}

describe('container', () => {
  let bundle: string
  let driver: FakeDriver
  let events: string[]
  /** Called with each event, before it is told. */
  let onEvent: (event: TaskEvent) => void

  beforeEach(() => {
    bundle = mkdtempSync(join(tmpdir(), 'berth-container-'))
    driver = new FakeDriver()
    events = []
    onEvent = () => undefined
  })
  afterEach(() => {
    rmSync(bundle, { recursive: true })
  })

  const create = (hasOwnPidNamespace = true): Promise<Container> =>
    Container.create(
      {
        id: 'c1',
        bundle,
        rootfs: [],
        request: NO_STREAMS,
        owner: { uid: 0, gid: 0 },
        config: { hasOwnPidNamespace, isConfined: false },
      },
      {
        driver,
        log: SILENT_LOG,
        events: {
          publish: (event) => {
            onEvent(event)
            events.push(nameOf(event))
          },
        },
      },
    )

  const initPid = (container: Container): number => pidOf(container.init.state)

  it('tells create, start, exit, delete in this order', async () => {
    const container = await create()
    await container.start('')
    driver.end(initPid(container), { kind: 'exited', exitCode: 3, exitedAtNs: 4n })
    assert.equal((await container.init.stopped).exitStatus, 3)
    await container.delete()
    assert.deepEqual(events, ['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete'])
  })

  it('has the exit record on disk before the exit is told', async () => {
    const container = await create()
    await container.start('')
    let recorded: number | undefined
    onEvent = ({ topic }) => {
      if (topic === '/tasks/exit') recorded = readExitRecord(bundle, '')?.exitStatus
    }
    driver.end(initPid(container), { kind: 'exited', exitCode: 3, exitedAtNs: 4n })
    await container.init.stopped
    assert.equal(recorded, 3)
  })

  it('tells an exit that happens during the start after it', async () => {
    const container = await create()
    let open: () => void = () => undefined
    driver.gate = new Promise((resolve) => {
      open = resolve
    })
    const starting = container.start('')
    driver.end(initPid(container))
    // Everything that could run before the gate opens has run.
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(events, ['/tasks/create'])
    open()
    assert.equal(
      await starting,
      pidOf({ status: 'running', pid: (await container.init.stopped).pid }),
    )
    assert.deepEqual(events, ['/tasks/create', '/tasks/start', '/tasks/exit'])
  })

  it('tells exec-added, exec-started, exit of an exec', async () => {
    const container = await create()
    await container.start('')
    container.addExec('e1', NO_STREAMS, '{}')
    const pid = await container.start('e1')
    driver.end(pid, { kind: 'signaled', signal: 15, exitedAtNs: 4n })
    assert.equal((await container.process('e1').stopped).exitStatus, 143)
    assert.deepEqual(events.slice(2), [
      '/tasks/exec-added:e1',
      '/tasks/exec-started:e1',
      '/tasks/exit:e1',
    ])
  })

  it("tells the first process's exit last", async () => {
    const container = await create()
    await container.start('')
    container.addExec('e1', NO_STREAMS, '{}')
    const pid = await container.start('e1')
    driver.end(initPid(container))
    await new Promise((resolve) => setImmediate(resolve))
    driver.end(pid)
    await container.init.stopped
    assert.deepEqual(events.slice(-2), ['/tasks/exit:e1', '/tasks/exit'])
  })

  it('kills what is left when the pid namespace is not its own', async () => {
    const container = await create(false)
    await container.start('')
    driver.end(initPid(container))
    await container.init.stopped
    assert.ok(driver.calls.includes('kill 9 all'))
  })

  it('answers many who wait, also after the exit', async () => {
    const container = await create()
    await container.start('')
    const waiting = [container.init.stopped, container.init.stopped]
    driver.end(initPid(container), { kind: 'exited', exitCode: 5, exitedAtNs: 4n })
    const exits = await Promise.all([...waiting, container.init.stopped])
    assert.deepEqual(
      exits.map(({ exitStatus }) => exitStatus),
      [5, 5, 5],
    )
  })

  it('refuses to start twice', async () => {
    const container = await create()
    const first = container.start('')
    await assert.rejects(container.start(''), { code: 'failedPrecondition' })
    await first
    await assert.rejects(container.start(''), { code: 'failedPrecondition' })
  })

  it('refuses to delete a running container', async () => {
    const container = await create()
    await container.start('')
    await assert.rejects(container.delete(), {
      code: 'failedPrecondition',
      message: /found running/,
    })
  })

  it('ends a container that was never started when it is deleted', async () => {
    const container = await create()
    assert.equal((await container.delete()).exitStatus, 137)
    assert.deepEqual(events, ['/tasks/create', '/tasks/exit', '/tasks/delete'])
  })

  it('says that a process has finished already', async () => {
    const container = await create()
    await container.start('')
    driver.end(initPid(container))
    await container.init.stopped
    await assert.rejects(container.kill('', 15, false), {
      code: 'notFound',
      message: /process already finished/,
    })
  })

  it('does not start an exec in a container that has ended', async () => {
    const container = await create()
    await container.start('')
    container.addExec('e1', NO_STREAMS, '{}')
    driver.end(initPid(container))
    await container.init.stopped
    await assert.rejects(container.start('e1'), { code: 'failedPrecondition' })
  })

  it('takes an exec id once', async () => {
    const container = await create()
    container.addExec('e1', NO_STREAMS, '{}')
    assert.throws(
      () => {
        container.addExec('e1', NO_STREAMS, '{}')
      },
      { code: 'alreadyExists' },
    )
  })

  it('tells paused and resumed', async () => {
    const container = await create()
    await container.start('')
    await container.pause()
    assert.equal(container.init.state.status, 'paused')
    await container.resume()
    assert.equal(container.init.state.status, 'running')
    assert.deepEqual(events.slice(2), ['/tasks/paused', '/tasks/resumed'])
  })

  it('undoes what it made when the runtime fails', async () => {
    driver.create = () => Promise.reject(new Error('no'))
    await assert.rejects(create(), /no/)
    assert.deepEqual(driver.calls, ['delete'])
    assert.deepEqual(events, [])
  })
})
