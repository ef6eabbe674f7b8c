/** One container: its processes, and the order in which things happen to them and are told. */
import { PlatformError } from '../proto/errors/platform-error.ts'
import type { ProcessExit } from '../native/binding.ts'
import type { Mount } from '../proto/generated/containerd/types/mount.ts'
import type { ContainerConfig } from './container-config.ts'
import { exitRecordOf, writeExitRecord, type ExitRecord } from './exit-record.ts'
import type { Log } from './log.ts'
import type { OomWatch } from './metrics/oom-watch.ts'
import { mountRootfs, unmountRootfs } from './mounts.ts'
import { pidOf, refusal } from './process-state.ts'
import type { RuntimeDriver } from './runtime-driver.ts'
import { openProcessStreams } from './stdio/open-process-streams.ts'
import type { StreamRequest, StreamSettings } from './stdio/process-streams.ts'
import type { StreamOwner } from './stdio/open-target.ts'
import type { EventSink } from './task-events.ts'
import { TaskProcess } from './task-process.ts'
import { timestampOf } from './timestamp.ts'

export interface ContainerServices {
  readonly driver: RuntimeDriver
  readonly events: EventSink
  readonly log: Log
}

export interface CreateContainerOptions {
  readonly id: string
  readonly bundle: string
  readonly rootfs: readonly Mount[]
  readonly request: StreamRequest
  readonly owner: StreamOwner
  readonly config: ContainerConfig
}

const SIGKILL = 9
/** Output that is still on its way when a process ends; a reader that stopped reading delays the exit no longer. */
const EXIT_DRAIN_TIMEOUT_MS = 500
/** As containerd's shim for runc waits for the streams before it deletes. */
const DELETE_DRAIN_TIMEOUT_MS = 2000
/** Execs end with the container; one that cannot be killed must not hide its end. */
const EXECS_END_TIMEOUT_MS = 10_000

export class Container {
  readonly id: string
  readonly bundle: string
  readonly init: TaskProcess
  readonly #services: ContainerServices
  readonly #config: ContainerConfig
  readonly #settings: StreamSettings
  readonly #hasMounts: boolean
  readonly #execs = new Map<string, TaskProcess>()
  /** The JSON of runtime-spec's `process`, by exec id. */
  readonly #execSpecs = new Map<string, string>()
  #oomWatch: OomWatch | undefined
  #isDeleting = false

  private constructor(
    options: CreateContainerOptions,
    settings: StreamSettings,
    init: TaskProcess,
    services: ContainerServices,
  ) {
    this.id = options.id
    this.bundle = options.bundle
    this.init = init
    this.#config = options.config
    this.#settings = settings
    this.#hasMounts = options.rootfs.length > 0
    this.#services = services
  }

  /** Mounts, opens the streams and creates. When one of them fails, what the others did is undone. */
  static async create(
    options: CreateContainerOptions,
    services: ContainerServices,
  ): Promise<Container> {
    const { id, bundle, rootfs, request, owner, config } = options
    const { driver, events } = services
    const settings = { owner, isolated: config.isConfined }
    mountRootfs(bundle, rootfs)
    try {
      const streams = openProcessStreams(request, settings)
      try {
        const watched = await driver.create({ id, bundle, stdio: streams.stdio })
        const { pid } = watched
        const init = new TaskProcess(id, '', request, { status: 'created', pid })
        const container = new Container(options, settings, init, services)
        events.publish({
          topic: '/tasks/create',
          message: {
            containerId: id,
            bundle,
            rootfs: [...rootfs],
            io: { ...request },
            checkpoint: '',
            pid,
          },
        })
        init.launched(watched, streams, (exit) => container.#settleExit(init, pid, exit))
        return container
      } catch (error) {
        streams.close()
        await undo(driver, id)
        throw error
      }
    } catch (error) {
      if (rootfs.length > 0) unmountRootfs(bundle)
      throw error
    }
  }

  /** @throws notFound */
  process(execId: string): TaskProcess {
    const process = execId === '' ? this.init : this.#execs.get(execId)
    if (process !== undefined) return process
    const facts = { action: 'find process', subject: execId, found: `none in container ${this.id}` }
    throw new PlatformError('notFound', facts)
  }

  get execs(): ReadonlyMap<string, TaskProcess> {
    return this.#execs
  }

  /** @returns the pid */
  async start(execId: string): Promise<number> {
    const process = this.process(execId)
    await process.starting(() => (execId === '' ? this.#startInit() : this.#startExec(process)))
    return pidOf(process.state)
  }

  /** @param spec the JSON of runtime-spec's `process` */
  addExec(execId: string, request: StreamRequest, spec: string): void {
    if (this.#execs.has(execId)) {
      const facts = { action: 'add process', subject: execId, found: `one in container ${this.id}` }
      throw new PlatformError('alreadyExists', facts)
    }
    this.#execs.set(execId, new TaskProcess(this.id, execId, request))
    this.#execSpecs.set(execId, spec)
    this.#services.events.publish({
      topic: '/tasks/exec-added',
      message: { containerId: this.id, execId },
    })
  }

  async kill(execId: string, signal: number, all: boolean): Promise<void> {
    const process = this.process(execId)
    if (execId !== '') {
      process.signal(signal)
      return
    }
    if (process.isStopped && !all) throw process.alreadyFinished()
    try {
      await this.#services.driver.kill(this.id, signal, { all })
    } catch (error) {
      if (!isNotRunning(error)) throw error
      // Others may have outlived the first process; that none has is what the caller wants.
      if (!process.isStopped || !all) throw process.alreadyFinished({ cause: error })
    }
  }

  async pause(): Promise<void> {
    this.init.change({ kind: 'pausing' })
    try {
      await this.#services.driver.pause(this.id)
    } catch (error) {
      if (!this.init.isStopped) this.init.change({ kind: 'resumed' })
      throw error
    }
    if (this.init.isStopped) return
    this.init.change({ kind: 'paused' })
    this.#services.events.publish({ topic: '/tasks/paused', message: { containerId: this.id } })
  }

  async resume(): Promise<void> {
    const { state } = this.init
    if (state.status !== 'paused') throw refusal('resume', this.id, state, 'paused')
    await this.#services.driver.resume(this.id)
    if (this.init.isStopped) return
    this.init.change({ kind: 'resumed' })
    this.#services.events.publish({ topic: '/tasks/resumed', message: { containerId: this.id } })
  }

  async deleteExec(execId: string): Promise<TaskProcess> {
    const process = this.process(execId)
    const { status } = process.state
    await process.startSettled()
    if (status !== 'stopped' && status !== 'added') {
      throw refusal('delete', process.subject, process.state, 'stopped')
    }
    await process.drain(DELETE_DRAIN_TIMEOUT_MS)
    process.closeStreams()
    this.#execs.delete(execId)
    this.#execSpecs.delete(execId)
    return process
  }

  /**
   * Takes away all there is of the container. One that was never started is ended first.
   *
   * @throws failedPrecondition while it runs
   */
  async delete(): Promise<ExitRecord> {
    const { init } = this
    const { driver, events } = this.#services
    if ((init.state.status !== 'created' && !init.isStopped) || this.#isDeleting) {
      throw refusal('delete', this.id, init.state, 'stopped')
    }
    this.#isDeleting = true
    try {
      await init.startSettled()
      // A start that was under way has succeeded meanwhile.
      if (init.state.status === 'running') throw refusal('delete', this.id, init.state, 'stopped')
      if (init.isStopped) await init.drain(DELETE_DRAIN_TIMEOUT_MS)
      await driver.delete(this.id, { force: true })
      const exit = await init.stopped
      this.#oomWatch?.close()
      for (const process of [init, ...this.#execs.values()]) process.closeStreams()
      if (this.#hasMounts) unmountRootfs(this.bundle)
      events.publish({
        topic: '/tasks/delete',
        message: {
          containerId: this.id,
          id: '',
          pid: exit.pid,
          exitStatus: exit.exitStatus,
          exitedAt: timestampOf(exit.exitedAtNs),
        },
      })
      return exit
    } finally {
      this.#isDeleting = false
    }
  }

  async #startInit(): Promise<void> {
    const { driver, events } = this.#services
    const pid = pidOf(this.init.state)
    await this.#watchOom(pid)
    await driver.start(this.id)
    this.init.change({ kind: 'started', pid })
    events.publish({ topic: '/tasks/start', message: { containerId: this.id, pid } })
  }

  async #startExec(process: TaskProcess): Promise<void> {
    const { driver, events } = this.#services
    if (this.init.state.status !== 'running') {
      throw refusal('start exec in', this.id, this.init.state, 'running')
    }
    const { execId } = process
    const spec = this.#execSpecs.get(execId) ?? ''
    const streams = openProcessStreams(process.request, this.#settings)
    try {
      const watched = await driver.exec({
        id: this.id,
        execId,
        process: spec,
        stdio: streams.stdio,
      })
      this.#execSpecs.delete(execId)
      const { pid } = watched
      process.change({ kind: 'started', pid })
      events.publish({
        topic: '/tasks/exec-started',
        message: { containerId: this.id, execId, pid },
      })
      process.launched(watched, streams, (exit) => this.#settleExit(process, pid, exit))
    } catch (error) {
      streams.close()
      throw error
    }
  }

  async #watchOom(pid: number): Promise<void> {
    const { events, log } = this.#services
    const onOom = (): void => {
      events.publish({ topic: '/tasks/oom', message: { containerId: this.id } })
    }
    try {
      const { openOomWatch } = await import('./metrics/oom-watch.ts')
      this.#oomWatch = openOomWatch(pid, onOom)
    } catch (error) {
      log.write('warning', 'cannot watch for out-of-memory', { id: this.id, error: String(error) })
    }
  }

  #settleExit(process: TaskProcess, pid: number, exit: ProcessExit): void {
    this.#reportExit(process, exitRecordOf(pid, exit)).catch((error: unknown) => {
      this.#services.log.write('error', 'cannot report an exit', {
        id: this.id,
        error: String(error),
      })
    })
  }

  /** Record, then everything that happened before it, then the event, then those who wait. */
  async #reportExit(process: TaskProcess, record: ExitRecord): Promise<void> {
    const { events, log } = this.#services
    if (record.how === 'unknown') {
      log.write('warning', 'the exit status of a process is not known', {
        process: process.subject,
      })
    }
    try {
      writeExitRecord(this.bundle, process.execId, record)
    } catch (error) {
      // The status is still true while this process lives.
      log.write('error', 'cannot keep an exit record', { id: this.id, error: String(error) })
    }
    await process.startSettled()
    await process.drain(EXIT_DRAIN_TIMEOUT_MS)
    if (process === this.init) await this.#endExecs()
    this.#oomWatch?.check()
    process.change({ kind: 'exited', exit: record })
    events.publish({
      topic: '/tasks/exit',
      message: {
        containerId: this.id,
        id: process.execId === '' ? this.id : process.execId,
        pid: record.pid,
        exitStatus: record.exitStatus,
        exitedAt: timestampOf(record.exitedAtNs),
      },
    })
    process.tellStopped(record)
  }

  /** The first process's exit is the last one told. */
  async #endExecs(): Promise<void> {
    const { driver, log } = this.#services
    if (!this.#config.hasOwnPidNamespace) {
      try {
        await driver.kill(this.id, SIGKILL, { all: true })
      } catch (error) {
        log.write('debug', 'nothing left to kill', { id: this.id, error: String(error) })
      }
    }
    await Promise.all([...this.#execs.values()].map((exec) => exec.startSettled()))
    const ends = [...this.#execs.values()]
      .filter(({ state }) => state.status === 'running')
      .map(({ stopped }) => stopped)
    if (ends.length === 0) return
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => {
        resolve('late')
      }, EXECS_END_TIMEOUT_MS)
    })
    const outcome = await Promise.race([Promise.all(ends), timeUp])
    clearTimeout(timer)
    if (outcome === 'late') {
      log.write('error', 'processes outlive their container', { id: this.id, count: ends.length })
    }
  }
}

/** How runtimes say that there is nothing to kill. */
function isNotRunning(error: unknown): boolean {
  return (
    error instanceof PlatformError &&
    (error.code === 'notFound' || error.code === 'failedPrecondition')
  )
}

/** The runtime may have got half-way. */
async function undo(driver: RuntimeDriver, id: string): Promise<void> {
  try {
    await driver.delete(id, { force: true })
  } catch {
    // The reason why it could not be created says more than this.
  }
}
