/**
 * Starts shims, talks to them, notices when they die and finds them again after a restart. The state that
 * reads are answered from is in `tasks`.
 */
import type { Any } from '../../proto/generated/google/protobuf/any.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { EventEnvelope } from '../events/event-hub.ts'
import { Bundle, bundleConfig } from './bundle.ts'
import { ProcessState, type ExitStatus, type ProcessIo } from './process-state.ts'
import { processStartTicks } from './process-witness.ts'
import { adoptTask } from './recovery.ts'
import { publishDelete } from './task-events.ts'
import { resolveShimProgram } from './runtime-name.ts'
import { buryShim, discardTask, finishTask } from './task-end.ts'
import type { CreateOptions, DeletedProcess, ShimManagerOptions } from './shim-manager-options.ts'
import { startShim } from './shim-program.ts'
import { ShimConnection } from './shim-connection.ts'
import { writeTaskRecord } from './task-record.ts'
import { TaskTable, newTask, processOf, type Task } from './task-table.ts'
import { reasonOf } from './reason.ts'

/** How many bundles are looked at at once after a restart. */
const RECOVERY_CONCURRENCY = 32
const BURIAL_CONCURRENCY = 4

export class ShimManager {
  readonly tasks = new TaskTable()
  readonly #options: ShimManagerOptions
  readonly #ends = new Map<Task, Promise<unknown>>()
  /** Found at recovery without a living shim. */
  readonly #dead: Task[] = []
  #isClosed = false

  constructor(options: ShimManagerOptions) {
    this.#options = options
  }

  /**
   * Finds the shims of an earlier manager. Their events are to be received before, or they wait. What shims
   * left that have died meanwhile is cleaned up afterwards: nobody has to wait for that.
   */
  async recover(): Promise<void> {
    const bundles = [...(await Bundle.list(this.#options.roots))]
    const workers = Array.from({ length: RECOVERY_CONCURRENCY }, async () => {
      for (let bundle = bundles.pop(); bundle !== undefined; bundle = bundles.pop()) {
        await this.#recoverBundle(bundle)
      }
    })
    await Promise.all(workers)
    void this.#buryAll(this.#dead)
  }

  /**
   * Makes a container's process, without starting its program.
   *
   * @returns its pid
   * @throws notFound (no container), alreadyExists, what the runtime says
   */
  async create(namespace: string, id: string, create: CreateOptions): Promise<number> {
    const container = await this.#options.containers.get(namespace, id)
    if (this.tasks.find(namespace, id) !== undefined) {
      throw new PlatformError('alreadyExists', `task ${id}`)
    }
    const { runtimes, programDirectory, shim, roots } = this.#options
    const runtime = create.runtimePath === '' ? container.runtimeName : create.runtimePath
    const runtimeOptions = create.runtimeOptions ?? container.runtimeOptions
    const shimPath = await resolveShimProgram(runtime, {
      mapping: runtimes,
      programDirectory,
      path: shim.path,
    })
    // Of two creates of one id at the same time this lets one through.
    const bundle = await Bundle.create(roots, namespace, id, bundleConfig(container.spec, id))
    const task = newTask(bundle, shimPath, create.io)
    this.tasks.add(task)
    try {
      await bundle.writeShimPath(shimPath)
      task.log = this.#options.host.openLog(bundle, this.#options.log)
      const endpoint = await startShim(shimPath, bundle, runtimeOptions, shim)
      await bundle.writeEndpoint(endpoint)
      const connection = await ShimConnection.open(endpoint, namespace)
      const creating = connection.create({
        id,
        bundle: bundle.path,
        rootfs: create.rootfs,
        ...create.io,
        checkpoint: '',
        parentCheckpoint: '',
        options: runtimeOptions,
      })
      // Both at once: the shim need not be asked who it is before it begins.
      const [{ pid }] = await Promise.all([creating, this.#connect(task, connection)])
      this.#watch(task, '', pid)
      await writeTaskRecord(bundle, {
        initPid: pid,
        initStartTicks: processStartTicks(pid),
        io: create.io,
        exit: undefined,
      })
      task.init.created(pid)
      return pid
    } catch (error) {
      await this.#discard(task)
      throw error
    }
  }

  /**
   * @param execId empty for the init
   * @returns the pid
   */
  async start(namespace: string, id: string, execId: string): Promise<number> {
    const task = this.tasks.get(namespace, id)
    const process = this.tasks.getProcess(namespace, id, execId)
    if (execId !== '' && task.init.phase.status === 'stopped') {
      throw new PlatformError('failedPrecondition', {
        action: 'start process',
        subject: execId,
        found: `container ${id} stopped`,
        wanted: 'a running container',
      })
    }
    const { pid } = await this.#shimOf(task).start(id, execId)
    process.started(pid)
    if (execId !== '') this.#watch(task, execId, pid)
    return pid
  }

  /** Adds a process to a running container; `start` starts it. @throws alreadyExists */
  async exec(
    namespace: string,
    id: string,
    execId: string,
    io: ProcessIo,
    spec: Any | undefined,
  ): Promise<void> {
    const task = this.tasks.get(namespace, id)
    const shim = this.#shimOf(task)
    if (task.execs.has(execId)) {
      throw new PlatformError('alreadyExists', `process ${execId} of task ${id}`)
    }
    const process = new ProcessState(execId, io)
    task.execs.set(execId, process)
    try {
      await shim.exec({ id, execId, ...io, spec })
      process.created(0)
    } catch (error) {
      task.execs.delete(execId)
      throw error
    }
  }

  /** Removes a container's process and everything its shim had. @throws failedPrecondition while it runs */
  async delete(namespace: string, id: string): Promise<DeletedProcess> {
    const task = this.tasks.get(namespace, id)
    for (;;) {
      const { shim } = task
      try {
        return await this.#end(task, () => this.#delete(task))
      } catch (error) {
        if (shim?.isClosed !== true) throw error
        // It died of it, or while we asked: what it left is cleaned up first, and then deleted.
        await shim.closed
      }
    }
  }

  async #delete(task: Task): Promise<DeletedProcess> {
    if (this.tasks.find(task.namespace, task.id) !== task) {
      throw new PlatformError('notFound', `task ${task.id} not found`)
    }
    if (task.shim === undefined) return this.#deleteWithoutShim(task)
    const deleted = await task.shim.delete(task.id, '')
    await finishTask(task, this.#options)
    this.tasks.remove(task)
    return deleted
  }

  /** The shim died before; what is left waits for the client to have seen how the container ended. */
  async #deleteWithoutShim(task: Task): Promise<DeletedProcess> {
    const exit = task.init.exit
    if (exit === undefined) throw noShim(task)
    await finishTask(task, this.#options)
    this.tasks.remove(task)
    publishDelete(this.#options.events, task, exit)
    return { pid: task.init.pid, exitStatus: exit.exitStatus, exitedAt: exit.exitedAt }
  }

  async deleteExec(namespace: string, id: string, execId: string): Promise<DeletedProcess> {
    const task = this.tasks.get(namespace, id)
    const process = this.tasks.getProcess(namespace, id, execId)
    if (task.shim === undefined && process.exit !== undefined) {
      task.execs.delete(execId)
      const { exitStatus, exitedAt } = process.exit
      return { pid: process.pid, exitStatus, exitedAt }
    }
    const deleted = await this.#shimOf(task).delete(id, execId)
    task.witnesses.get(execId)?.release()
    task.witnesses.delete(execId)
    task.publishedExits.delete(execId)
    task.execs.delete(execId)
    return deleted
  }

  /** @throws notFound when the process has exited */
  async kill(
    namespace: string,
    id: string,
    execId: string,
    signal: number,
    all: boolean,
  ): Promise<void> {
    const process = this.tasks.getProcess(namespace, id, execId)
    if (process.phase.status === 'stopped' && !all) {
      throw new PlatformError('notFound', `process ${execId || id} already finished: not found`)
    }
    await this.liveShim(namespace, id).kill(id, execId, signal, all)
  }

  async pause(namespace: string, id: string): Promise<void> {
    await this.liveShim(namespace, id).pause(id)
    this.tasks.find(namespace, id)?.init.paused()
  }

  async resume(namespace: string, id: string): Promise<void> {
    await this.liveShim(namespace, id).resume(id)
    this.tasks.find(namespace, id)?.init.resumed()
  }

  /**
   * Waits until a process has exited, across the death of its shim.
   *
   * @throws notFound, canceled
   */
  wait(namespace: string, id: string, execId: string, signal: AbortSignal): Promise<ExitStatus> {
    return this.tasks.getProcess(namespace, id, execId).wait(signal)
  }

  /** @throws notFound; unavailable when the shim is gone */
  liveShim(namespace: string, id: string): ShimConnection {
    return this.#shimOf(this.tasks.get(namespace, id))
  }

  /**
   * Takes in an event that a shim forwarded, and publishes it; returns when it cannot be lost any more.
   *
   * @param sequence the shim's number for it: one that was seen is a repetition, and is dropped
   * @throws invalidArgument when it is no event: the shim need not try again
   */
  receive(envelope: EventEnvelope, sequence: bigint | undefined): void {
    try {
      if (!this.tasks.isNews(envelope, sequence)) return
      this.tasks.apply(envelope)
    } catch (cause) {
      const { topic, event } = envelope
      const found = `a value that is no ${event.typeUrl}`
      throw new PlatformError(
        'invalidArgument',
        { action: 'read event', subject: topic, found },
        { cause },
      )
    }
    this.#options.events.forward(envelope)
  }

  /** Lets go of all shims; they and their containers go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#ends.values())
    const closing = [...this.tasks.all()].map(async (task) => {
      const { shim } = task
      task.shim = undefined
      for (const witness of task.witnesses.values()) witness.release()
      task.shimWitness?.release()
      task.log?.close()
      await shim?.[Symbol.asyncDispose]()
    })
    await Promise.all(closing)
  }

  /** One broken bundle must not keep the others from being served. */
  async #recoverBundle(bundle: Bundle): Promise<void> {
    const { log, host } = this.#options
    try {
      await adoptTask(bundle, {
        log,
        host,
        add: (task) => {
          this.tasks.add(task)
        },
        connect: (task, connection) => this.#connect(task, connection),
        watch: (task, execId, pid) => {
          this.#watch(task, execId, pid)
        },
        discard: (task) => this.#discard(task),
        bury: (task) => {
          this.#dead.push(task)
        },
      })
    } catch (error) {
      log.error(
        { namespace: bundle.namespace, container: bundle.id, reason: reasonOf(error) },
        'a bundle cannot be recovered',
      )
    }
  }

  async #connect(task: Task, connection: ShimConnection): Promise<void> {
    task.shim = connection
    connection.onClose((reason) => {
      // Unless it was us who let go of it.
      if (task.shim !== connection || this.#isClosed) return
      const { namespace, id } = task
      this.#options.log.warn(
        { namespace, container: id, reason: reason.message },
        'the shim is gone',
      )
      task.shim = undefined
      // A container that was never created is discarded by whoever is creating it.
      if (task.init.phase.status !== 'adding') void this.#bury(task)
    })
    const { shimPid } = await connection.connect(task.id)
    task.shimWitness = this.#options.host.watch(shimPid)
  }

  /** Sees a process to its end, by the shim and by ourselves. */
  #watch(task: Task, execId: string, pid: number): void {
    const { log, host } = this.#options
    const witness = pid === 0 ? undefined : host.watch(pid)
    if (witness !== undefined) task.witnesses.set(execId, witness)
    // A shim whose events are lost is no reason to wait for ever.
    task.shim?.wait(task.id, execId).then(
      ({ exitStatus, exitedAt }) => {
        const at = exitedAt ?? { seconds: 0n, nanos: 0 }
        processOf(task, execId)?.exited({ exitStatus, exitedAt: at, isKnown: true })
      },
      (error: unknown) => {
        log.debug(
          { container: task.id, process: execId, reason: reasonOf(error) },
          'the shim does not wait for a process',
        )
      },
    )
  }

  /** A few at a time: each runs the shim program. */
  async #buryAll(tasks: Task[]): Promise<void> {
    const workers = Array.from({ length: BURIAL_CONCURRENCY }, async () => {
      for (let task = tasks.pop(); task !== undefined && !this.#isClosed; task = tasks.pop()) {
        await this.#bury(task)
      }
    })
    await Promise.all(workers)
  }

  #bury(task: Task): Promise<void> {
    const { log } = this.#options
    return this.#end(task, () => buryShim(task, this.#options)).catch((error: unknown) => {
      log.error(
        { container: task.id, reason: reasonOf(error) },
        'what a dead shim left cannot be cleaned up',
      )
    })
  }

  async #discard(task: Task): Promise<void> {
    await this.#end(task, () => discardTask(task, this.#options))
    this.tasks.remove(task)
  }

  /** What ends a task is done one after the other. */
  async #end<T>(task: Task, work: () => Promise<T>): Promise<T> {
    const end = (this.#ends.get(task) ?? Promise.resolve()).then(work)
    const settled = end.then(ignore, ignore)
    this.#ends.set(task, settled)
    try {
      return await end
    } finally {
      if (this.#ends.get(task) === settled) this.#ends.delete(task)
    }
  }

  #shimOf(task: Task): ShimConnection {
    if (task.shim === undefined) throw noShim(task)
    return task.shim
  }
}

function noShim(task: Task): PlatformError {
  return new PlatformError('unavailable', {
    action: 'talk to the shim of task',
    subject: task.id,
    found: task.init.exit === undefined ? 'it has died' : 'it is gone, the container has exited',
  })
}

function ignore(): void {
  // Whoever asked for the work hears how it went.
}
