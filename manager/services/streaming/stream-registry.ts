import { PlatformError } from '../../../proto/errors/platform-error.ts'
import type { ClientStream } from './client-stream.ts'

/** The streams that clients have opened, for other calls to find by the id the client chose. */
export class StreamRegistry {
  readonly #streams = new Map<string, ClientStream>()

  /** Disposing of the result takes the stream out again. @throws alreadyExists */
  add(namespace: string, id: string, stream: ClientStream): Disposable {
    const key = streamKey(namespace, id)
    if (this.#streams.has(key)) {
      throw new PlatformError('alreadyExists', { action: 'open stream', subject: id })
    }
    this.#streams.set(key, stream)
    return {
      [Symbol.dispose]: () => {
        this.#streams.delete(key)
      },
    }
  }

  /** @throws notFound */
  get(namespace: string, id: string): ClientStream {
    const stream = this.#streams.get(streamKey(namespace, id))
    if (stream !== undefined) return stream
    throw new PlatformError('notFound', {
      action: 'find stream',
      subject: id,
      hint: 'the client must open it before it refers to it',
    })
  }
}

function streamKey(namespace: string, id: string): string {
  return `${namespace}\0${id}`
}
