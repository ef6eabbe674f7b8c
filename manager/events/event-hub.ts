import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Any } from '../../proto/generated/google/protobuf/any.ts'
import { parseIdentifier } from '../grpc/identifier.ts'
import { nowNs } from '../metadata/timestamp.ts'
import { encodeEvent, type EventMessage, type EventType } from './event-types.ts'

/** One event as subscribers see it. */
export interface EventEnvelope {
  readonly timestampNs: bigint
  readonly namespace: string
  readonly topic: string
  readonly event: Any
}

/** A subscriber that is this far behind is cut off with a sentence instead of eating the memory of all. */
const MAX_BACKLOG = 65_536

interface Subscriber {
  readonly accepts: (envelope: EventEnvelope) => boolean
  readonly backlog: EventEnvelope[]
  wake: (() => void) | undefined
  isOverrun: boolean
}

/** Hands every event to every subscriber, in the order in which they were published. */
export class EventHub {
  readonly #subscribers = new Set<Subscriber>()

  /** Publishes an event of the platform itself. @throws invalidArgument on a malformed topic or namespace */
  publish<Type extends EventType>(
    namespace: string,
    topic: string,
    type: Type,
    message: EventMessage<Type>,
  ): void {
    this.forward({
      timestampNs: nowNs(),
      namespace,
      topic,
      event: { typeUrl: type, value: encodeEvent(type, message) },
    })
  }

  /** Publishes an event as it came, with its own time: from a shim, or from a client. */
  forward(envelope: EventEnvelope): void {
    parseIdentifier(envelope.namespace, 'event namespace')
    checkTopic(envelope.topic)
    for (const subscriber of this.#subscribers) {
      if (subscriber.isOverrun || !subscriber.accepts(envelope)) continue
      if (subscriber.backlog.length >= MAX_BACKLOG) subscriber.isOverrun = true
      else subscriber.backlog.push(envelope)
      subscriber.wake?.()
    }
  }

  /**
   * Events from now on, until the signal fires. The subscription stands when this returns, not when the
   * first event is asked for.
   *
   * @throws resourceExhausted from the iterator when it is read too slowly
   */
  subscribe(
    accepts: (envelope: EventEnvelope) => boolean,
    signal: AbortSignal,
  ): AsyncIterable<EventEnvelope> {
    const subscriber: Subscriber = { accepts, backlog: [], wake: undefined, isOverrun: false }
    this.#subscribers.add(subscriber)
    const leave = (): void => {
      this.#subscribers.delete(subscriber)
      subscriber.wake?.()
    }
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
    return this.#drain(subscriber, signal, leave)
  }

  async *#drain(
    subscriber: Subscriber,
    signal: AbortSignal,
    leave: () => void,
  ): AsyncGenerator<EventEnvelope> {
    try {
      while (!signal.aborted) {
        const batch = subscriber.backlog.splice(0)
        yield* batch
        if (subscriber.isOverrun && subscriber.backlog.length === 0) {
          throw new PlatformError('resourceExhausted', {
            action: 'deliver events',
            found: `a subscriber ${String(MAX_BACKLOG)} events behind`,
            wanted: 'one that keeps up',
            hint: 'subscribe again and list what may have been missed',
          })
        }
        if (subscriber.backlog.length === 0 && !isAborted(signal)) {
          await new Promise<void>((resolve) => {
            subscriber.wake = resolve
          })
          subscriber.wake = undefined
        }
      }
    } finally {
      signal.removeEventListener('abort', leave)
      leave()
    }
  }
}

/** Asked anew: it may have changed while the events were taken. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}

function checkTopic(topic: string): void {
  if (!topic.startsWith('/') || topic.length === 1) {
    throw new PlatformError('invalidArgument', {
      action: 'check event topic',
      found: JSON.stringify(topic),
      wanted: 'a path like "/tasks/start"',
    })
  }
  for (const component of topic.slice(1).split('/'))
    parseIdentifier(component, `event topic ${topic}`)
}
