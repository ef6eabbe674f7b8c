/** One process of a container as the task service shows it, from its announcement to its deletion. */
import { PlatformError, type PlatformErrorOptions } from '../proto/errors/platform-error.ts'
import type { ProcessExit, TerminalSize } from '../native/binding.ts'
import type { ExitRecord } from './exit-record.ts'
import { changeState, refusal, type ProcessChange, type ProcessState } from './process-state.ts'
import type { WatchedProcess } from './runtime-driver.ts'
import type { ProcessStreams, StreamRequest } from './stdio/process-streams.ts'

export class TaskProcess {
  readonly containerId: string
  /** Empty for the container's first process. */
  readonly execId: string
  readonly request: StreamRequest
  /** Resolves when the exit has been recorded and published. */
  readonly stopped: Promise<ExitRecord>
  #state: ProcessState
  #streams: ProcessStreams | undefined
  #watched: WatchedProcess | undefined
  #tellStopped: (exit: ExitRecord) => void = () => undefined
  #starting: Promise<void> | undefined

  constructor(
    containerId: string,
    execId: string,
    request: StreamRequest,
    state: ProcessState = { status: 'added' },
  ) {
    this.containerId = containerId
    this.execId = execId
    this.request = request
    this.#state = state
    this.stopped = new Promise((resolve) => {
      this.#tellStopped = resolve
    })
  }

  get state(): ProcessState {
    return this.#state
  }

  get isStopped(): boolean {
    return this.#state.status === 'stopped'
  }

  /** For sentences. */
  get subject(): string {
    return this.execId === '' ? this.containerId : `${this.execId} in ${this.containerId}`
  }

  /** @throws failedPrecondition when the change cannot happen now */
  change(change: ProcessChange): void {
    this.#state = changeState(this.#state, change, this.subject)
  }

  /** The process is there: joins its streams and reports its end, once. */
  launched(
    watched: WatchedProcess,
    streams: ProcessStreams,
    onExit: (exit: ProcessExit) => void,
  ): void {
    this.#streams = streams
    this.#watched = watched
    streams.attach(watched.consoleFd)
    void watched.exited.then(onExit)
  }

  /**
   * Runs what starts the process. The process may end meanwhile; `startSettled` keeps that from being told
   * before the start has been.
   *
   * @throws failedPrecondition when a start is under way or has been
   */
  async starting(run: () => Promise<void>): Promise<void> {
    const wanted = 'a process that waits to be started'
    if (this.#starting !== undefined) {
      throw new PlatformError('failedPrecondition', {
        action: 'start',
        subject: this.subject,
        found: 'a start under way',
        wanted,
      })
    }
    if (this.#state.status !== 'added' && this.#state.status !== 'created') {
      throw refusal('start', this.subject, this.#state, wanted)
    }
    const running = run()
    // The caller hears of a failure; whoever waits for the start to settle only waits.
    this.#starting = running.catch(() => undefined)
    try {
      await running
    } finally {
      this.#starting = undefined
    }
  }

  async startSettled(): Promise<void> {
    await this.#starting
  }

  /** The end has been recorded and published: everybody who waits may know. */
  tellStopped(exit: ExitRecord): void {
    this.#tellStopped(exit)
  }

  /** @throws notFound when it has ended, failedPrecondition before it was started */
  signal(signal: number): void {
    if (this.isStopped) throw this.alreadyFinished()
    if (this.#watched === undefined) throw refusal('kill', this.subject, this.#state, 'running')
    this.#watched.signal(signal)
  }

  /** Clients look for these words. */
  alreadyFinished(options: PlatformErrorOptions = {}): PlatformError {
    const found = 'process already finished'
    return new PlatformError('notFound', { action: 'kill', subject: this.subject, found }, options)
  }

  resize(size: TerminalSize): void {
    this.#launchedStreams('resize the terminal of').resize(size)
  }

  closeInput(): void {
    this.#streams?.closeInput()
  }

  async drain(timeoutMs: number): Promise<boolean> {
    return (await this.#streams?.drain(timeoutMs)) ?? true
  }

  closeStreams(): void {
    this.#streams?.close()
    this.#streams = undefined
  }

  #launchedStreams(action: string): ProcessStreams {
    if (this.#streams !== undefined) return this.#streams
    throw refusal(action, this.subject, this.#state, 'a launched process')
  }
}
