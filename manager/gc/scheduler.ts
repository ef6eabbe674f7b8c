import type { Logger } from 'pino'
import type { CommitSummary } from '../metadata/store.ts'
import type { Collection } from './collector.ts'

/** The first run cleans up what a crash left. */
const STARTUP_DELAY_MS = 100
/** So many changes without a deletion are worth a look. */
const MUTATION_THRESHOLD = 100
const MIN_INTERVAL_MS = 250
/** Collections may take up to this part of the time. */
const PAUSE_FRACTION = 0.02

export interface SchedulerOptions {
  readonly collect: () => Promise<Collection>
  readonly log: Logger
}

/** Decides when to collect: soon after deletions, after many changes, at once when a client asks. One run at a time. */
export class CollectionScheduler implements AsyncDisposable {
  readonly #collect: () => Promise<Collection>
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #running: Promise<unknown> = Promise.resolve()
  /** A run that has not begun: whoever asks now is served by it. */
  #queued: Promise<Collection> | undefined
  #mutations = 0
  #lastDurationMs = 0
  #isStopped = false

  constructor({ collect, log }: SchedulerOptions) {
    this.#collect = collect
    this.#log = log
  }

  start(): void {
    this.#schedule(STARTUP_DELAY_MS)
  }

  /** To be called after every commit. */
  observe({ noteDeletion, mutations }: CommitSummary): void {
    this.#mutations += mutations
    if (noteDeletion || this.#mutations >= MUTATION_THRESHOLD) {
      this.#schedule(Math.max(MIN_INTERVAL_MS, this.#lastDurationMs / PAUSE_FRACTION))
    }
  }

  /** A complete collection that begins after this call. */
  collectNow(): Promise<Collection> {
    this.#queued ??= this.#enqueue()
    return this.#queued
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #enqueue(): Promise<Collection> {
    const run = this.#running.then(() => this.#run())
    this.#running = run.catch(() => undefined)
    return run
  }

  async #run(): Promise<Collection> {
    this.#queued = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    const startedAtMs = performance.now()
    const collection = await this.#collect()
    this.#lastDurationMs = performance.now() - startedAtMs
    // Its own deletions are no reason for the next one.
    this.#mutations = 0
    this.#log.debug({ ...collection, durationMs: Math.round(this.#lastDurationMs) }, 'collected')
    return collection
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== undefined || this.#isStopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.collectNow().catch((error: unknown) => {
        this.#log.error(
          { err: error },
          'collection failed; it is tried again after the next change',
        )
      })
    }, delayMs)
  }
}
