/** Moves events from the outbox to the daemon, in order, for as long as it takes. */
import { ForwardRequest } from '../proto/generated/containerd/services/ttrpc/events/v1/events.ts'
import { PlatformError } from '../proto/errors/platform-error.ts'
import type { Log } from './log.ts'
import type { Outbox } from './outbox.ts'
import { encodeTaskEvent, type EventSink, type TaskEvent } from './task-events.ts'
import { nowNs, timestampOf } from './timestamp.ts'

/** Hands one event over; resolves when the daemon has it. */
export type DeliverEvent = (request: ForwardRequest, sequence: bigint) => Promise<void>

export interface EventPublisherOptions {
  readonly outbox: Outbox
  readonly namespace: string
  /** Undefined when the daemon gave no address: events then wait for a shim that has one. */
  readonly deliver: DeliverEvent | undefined
  readonly log: Log
  /** Resolves after a pause; a test's clock. */
  readonly pause?: (timeoutMs: number) => Promise<void>
}

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5000

export class EventPublisher implements EventSink {
  readonly #options: EventPublisherOptions
  readonly #pause: (timeoutMs: number) => Promise<void>
  #delivery: Promise<void> | undefined
  #isStopped = false

  constructor(options: EventPublisherOptions) {
    this.#options = options
    this.#pause = options.pause ?? pauseUnreferenced
  }

  /** @throws resourceExhausted when the disk takes no more */
  publish(event: TaskEvent): void {
    const { outbox, namespace } = this.#options
    const envelope = {
      timestamp: timestampOf(nowNs()),
      namespace,
      topic: event.topic,
      event: encodeTaskEvent(event),
    }
    outbox.append(ForwardRequest.encode({ envelope }).finish())
    this.resume()
  }

  /** Delivers what is waiting. Runs by itself after `publish`; called once for what an earlier process left. */
  resume(): void {
    const { deliver } = this.#options
    if (deliver === undefined || this.#isStopped || this.#options.outbox.isEmpty) return
    this.#delivery ??= this.#deliverAll(deliver).finally(() => {
      this.#delivery = undefined
    })
  }

  /** Waits until all is delivered, but not longer than this, and stops. What is left stays in the outbox. */
  async stop(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([this.#delivery, timeUp])
    clearTimeout(timer)
    this.#isStopped = true
  }

  async #deliverAll(deliver: DeliverEvent): Promise<void> {
    const { outbox, log } = this.#options
    let pauseMs = FIRST_PAUSE_MS
    for (
      let entry = outbox.peek();
      entry !== undefined && !this.#isStopped;
      entry = outbox.peek()
    ) {
      try {
        await deliver(ForwardRequest.decode(entry.payload), entry.sequence)
        outbox.acknowledge(entry)
        pauseMs = FIRST_PAUSE_MS
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        const facts = { sequence: String(entry.sequence), error: reason }
        if (error instanceof PlatformError && error.code === 'invalidArgument') {
          // The daemon has it and will never take it; the events behind it must not wait for that.
          log.write('error', 'the daemon refuses an event', facts)
          outbox.acknowledge(entry)
          continue
        }
        log.write('debug', 'an event waits for the daemon', facts)
        await this.#pause(pauseMs)
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
      }
    }
  }
}

function pauseUnreferenced(timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, timeoutMs).unref()
  })
}
