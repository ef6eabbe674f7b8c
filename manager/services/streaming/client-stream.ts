import type { Any } from '../../../proto/generated/google/protobuf/any.ts'

/**
 * One stream of messages to and from a client. What the client sends is read from the wire only as it is
 * asked for here, so a fast client waits.
 */
export class ClientStream {
  readonly #requests: AsyncIterator<Any>
  readonly #outbox: Any[] = []
  #wake: (() => void) | undefined
  #isClosed = false

  constructor(requests: AsyncIterator<Any>) {
    this.#requests = requests
  }

  /** Undefined when the client has sent its last message. */
  async receive(): Promise<Any | undefined> {
    const step = await this.#requests.next()
    return step.done === true ? undefined : step.value
  }

  /** After the stream was closed, by either side, this does nothing. */
  send(message: Any): void {
    if (this.#isClosed) return
    this.#outbox.push(message)
    this.#wake?.()
  }

  /** Ends the stream once everything has been sent. */
  close(): void {
    this.#isClosed = true
    this.#wake?.()
  }

  /** What is to be sent, until the stream is closed or the signal fires. */
  async *outgoing(signal: AbortSignal): AsyncGenerator<Any> {
    const stop = (): void => {
      this.close()
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      for (;;) {
        yield* this.#outbox.splice(0)
        if (this.#outbox.length > 0) continue
        if (this.#isClosed) return
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      signal.removeEventListener('abort', stop)
      this.close()
    }
  }
}
