import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TaskExit } from '../../../proto/generated/containerd/events/task.ts'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import { EventHub, type EventEnvelope } from '../../events/event-hub.ts'
import type { ExitStatus } from '../process-state.ts'
import type { Witness } from '../process-witness.ts'
import { ShimManager } from '../shim-manager.ts'
import { FakeShim, INIT_PID } from './fake-shim.ts'

const IO = { stdin: '', stdout: '', stderr: '', terminal: false }
const CREATE = { rootfs: [], io: IO, runtimeOptions: undefined, runtimePath: '' }
const never = new AbortController().signal
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore }

function ignore(): void {
  // Nobody reads the log of a test.
}

/** Processes as the kernel would show them; a test ends them by hand. */
class FakeProcesses {
  readonly #ends = new Map<number, (exit: ExitStatus) => void>()

  watch(pid: number): Witness {
    let exit: ExitStatus | undefined
    const ended = new Promise<ExitStatus>((resolve) => {
      this.#ends.set(pid, (how) => {
        exit = how
        resolve(how)
      })
    })
    return {
      pid,
      ended,
      get exit() {
        return exit
      },
      release: ignore,
    }
  }

  end(pid: number, exitStatus: number, isKnown = true): void {
    this.#ends.get(pid)?.({ exitStatus, exitedAt: { seconds: 9n, nanos: 0 }, isKnown })
  }
}

describe('ShimManager', () => {
  let directory = ''
  let shim: FakeShim
  let processes: FakeProcesses
  let manager: ShimManager
  let published: EventEnvelope[]

  const openManager = (): ShimManager => {
    const hub = new EventHub()
    const publish = hub.forward.bind(hub)
    hub.forward = (envelope) => {
      publish(envelope)
      published.push(envelope)
    }
    return new ShimManager({
      roots: { stateDirectory: join(directory, 'state'), rootDirectory: join(directory, 'root') },
      containers: {
        get: (_namespace, id) => ({
          id,
          runtimeName: shim.programPath,
          runtimeOptions: undefined,
          spec: { typeUrl: '', value: Buffer.from('{}') },
        }),
      },
      events: hub,
      host: {
        watch: (pid) => processes.watch(pid),
        openLog: () => ({ close: ignore }),
        unmountRootfs: ignore,
      },
      log: SILENT,
      shim: {
        address: join(directory, 'm.sock'),
        publishBinary: '/bin/false',
        isDebug: false,
        path: String(process.env['PATH']),
      },
      programDirectory: directory,
      runtimes: {},
    })
  }
  const topics = (): readonly string[] => published.map(({ topic }) => topic)
  const bundles = (): Promise<string[]> =>
    readdir(join(directory, 'state/io.containerd.runtime.v2.task/ns'))
  const verbs = (): Promise<string> => readFile(join(directory, 'verbs'), 'utf8')
  const exitEvent = (exitStatus: number): EventEnvelope => ({
    timestampNs: 1n,
    namespace: 'ns',
    topic: '/tasks/exit',
    event: {
      typeUrl: 'containerd.events.TaskExit',
      value: Buffer.from(
        TaskExit.encode({
          containerId: 'c1',
          id: 'c1',
          pid: INIT_PID,
          exitStatus,
          exitedAt: { seconds: 5n, nanos: 0 },
        }).finish(),
      ),
    },
  })

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-test-'))
    shim = await FakeShim.start(directory)
    processes = new FakeProcesses()
    published = []
    manager = openManager()
  })
  afterEach(async () => {
    await manager[Symbol.asyncDispose]()
    await shim.die()
    await rm(directory, { recursive: true })
  })
  const runOne = async (): Promise<void> => {
    assert.equal(await manager.create('ns', 'c1', CREATE), INIT_PID)
    assert.equal(await manager.start('ns', 'c1', ''), INIT_PID)
  }

  it('takes a container from create to delete and leaves nothing', async () => {
    await runOne()
    assert.equal(manager.tasks.get('ns', 'c1').init.phase.status, 'running')
    const waiting = manager.wait('ns', 'c1', '', never)
    manager.receive(exitEvent(7), undefined)
    assert.equal((await waiting).exitStatus, 7)
    processes.end(4_000_002, 0)
    const deleted = await manager.delete('ns', 'c1')
    assert.equal(deleted.exitStatus, 7)
    assert.deepEqual(shim.calls, ['create', 'start', 'delete', 'shutdown'])
    assert.throws(() => manager.tasks.get('ns', 'c1'), { code: 'notFound' })
    assert.deepEqual(await bundles(), [])
    assert.deepEqual(topics(), ['/tasks/exit'])
  })

  it('learns of an exit from the shim when its event is lost', async () => {
    await runOne()
    const waiting = manager.wait('ns', 'c1', '', never)
    while (manager.tasks.get('ns', 'c1').init.exit === undefined) {
      shim.exit(3)
      await new Promise(setImmediate)
    }
    assert.equal((await waiting).exitStatus, 3)
  })

  it('makes one task per container, also of two creates at once', async () => {
    const both = await Promise.allSettled([
      manager.create('ns', 'c1', CREATE),
      manager.create('ns', 'c1', CREATE),
    ])
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    await assert.rejects(manager.create('ns', 'c1', CREATE), { code: 'alreadyExists' })
  })

  it('leaves nothing of a create that the runtime refuses, and says why', async () => {
    shim.overrides = {
      create: () => Promise.reject(new PlatformError('invalidArgument', 'bad spec')),
    }
    processes.end(4_000_002, 0)
    await assert.rejects(manager.create('ns', 'c1', CREATE), {
      code: 'invalidArgument',
      message: 'bad spec',
    })
    assert.throws(() => manager.tasks.get('ns', 'c1'), { code: 'notFound' })
    assert.deepEqual(await bundles(), [])
    assert.equal(await verbs(), 'start\ndelete\n')
  })

  it('drops a repeated event of a numbered sequence', async () => {
    await runOne()
    manager.receive(exitEvent(7), 4n)
    manager.receive(exitEvent(7), 4n)
    assert.deepEqual(topics(), ['/tasks/exit'])
  })

  it('refuses an event that is none, so that its shim does not repeat it for ever', () => {
    const event = { typeUrl: 'containerd.events.TaskExit', value: Buffer.from([0x0a, 0xff]) }
    assert.throws(
      () => {
        manager.receive({ timestampNs: 1n, namespace: 'ns', topic: '/tasks/exit', event }, 1n)
      },
      { code: 'invalidArgument' },
    )
  })

  describe('DESIGN 7: when the shim dies', () => {
    it('publishes the exit that the kernel told, and keeps it for Wait and Delete', async () => {
      await runOne()
      const waiting = manager.wait('ns', 'c1', '', never)
      await shim.die()
      processes.end(INIT_PID, 42)
      assert.deepEqual((await waiting).exitStatus, 42)
      const deleted = await manager.delete('ns', 'c1')
      assert.equal(deleted.exitStatus, 42)
      assert.deepEqual(topics(), ['/tasks/exit', '/tasks/delete'])
      assert.equal(await verbs(), 'start\ndelete\n')
      assert.deepEqual(await bundles(), [])
    })

    it('gives 255 for an exit that nobody saw, and invents nothing', async () => {
      await runOne()
      const waiting = manager.wait('ns', 'c1', '', never)
      await shim.die()
      processes.end(INIT_PID, 255, false)
      const exit = await waiting
      assert.equal(exit.exitStatus, 255)
      assert.equal(exit.isKnown, false)
    })

    it('deletes once when it is asked twice', async () => {
      await runOne()
      await shim.die()
      processes.end(INIT_PID, 42)
      const both = await Promise.allSettled([
        manager.delete('ns', 'c1'),
        manager.delete('ns', 'c1'),
      ])
      assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
      assert.deepEqual(topics(), ['/tasks/exit', '/tasks/delete'])
    })

    it('does not publish an exit again that the shim has forwarded', async () => {
      await runOne()
      manager.receive(exitEvent(7), 1n)
      await shim.die()
      const deleted = await manager.delete('ns', 'c1')
      assert.equal(deleted.exitStatus, 7)
      assert.deepEqual(topics(), ['/tasks/exit', '/tasks/delete'])
    })
  })

  describe('containerd-behaviour.md §i: recovery', () => {
    const restart = async (): Promise<void> => {
      await manager[Symbol.asyncDispose]()
      manager = openManager()
      await manager.recover()
    }

    it('finds a living shim again', async () => {
      await runOne()
      await restart()
      assert.deepEqual(manager.tasks.get('ns', 'c1').init.phase, {
        status: 'running',
        pid: INIT_PID,
      })
      const waiting = manager.wait('ns', 'c1', '', never)
      manager.receive(exitEvent(7), 5n)
      assert.equal((await waiting).exitStatus, 7)
    })

    it('keeps the exit of a container whose shim died before', async () => {
      await runOne()
      await shim.die()
      processes.end(INIT_PID, 42)
      await manager.wait('ns', 'c1', '', never)
      await restart()
      const { exitStatus } = await manager.delete('ns', 'c1')
      assert.equal(exitStatus, 42)
      assert.deepEqual(await bundles(), [])
    })

    it('cleans up a shim that was started for a container that was never made', async () => {
      await runOne()
      shim.isCreated = false
      processes = new FakeProcesses()
      await restart()
      assert.throws(() => manager.tasks.get('ns', 'c1'), { code: 'notFound' })
      assert.deepEqual(await bundles(), [])
    })

    it('serves a hung shim as one that does not answer, and the others', async () => {
      await runOne()
      shim.overrides = {
        state: () => Promise.reject(new PlatformError('deadlineExceeded', 'too late')),
      }
      await restart()
      assert.equal(manager.tasks.get('ns', 'c1').init.phase.status, 'unknown')
    })
  })
})
