import type { Readable } from 'node:stream'
import type { CallFailure } from './status.ts'

/** The writing half of a streaming call, as far as it is used here. */
interface ResponseStream<Response> {
  write(response: Response): boolean
  end(): void
  emit(event: 'error', failure: CallFailure): boolean
  once(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
}

/**
 * Sends what the handler yields, waiting whenever the client's window is full. When the client goes away
 * the iterator is returned, so that a handler's `finally` runs.
 */
export async function streamResponses<Response>(
  call: ResponseStream<Response>,
  signal: AbortSignal,
  open: () => AsyncIterable<Response>,
  fail: (error: unknown, signal: AbortSignal) => CallFailure,
): Promise<void> {
  try {
    const iterator = open()[Symbol.asyncIterator]()
    try {
      for (;;) {
        const step = await nextUnlessAborted(iterator, signal)
        if (step === undefined || step.done === true) break
        if (!call.write(step.value)) await drained(call, signal)
      }
    } finally {
      if (signal.aborted) await iterator.return?.()
    }
    if (!signal.aborted) call.end()
  } catch (error) {
    const failure = fail(error, signal)
    // After a cancellation nobody is listening, and an unheard `error` would end the process.
    if (!signal.aborted) call.emit('error', failure)
  }
}

/** The next step, or undefined when the client is gone: a handler that waits for events may never step again. */
async function nextUnlessAborted<T>(
  iterator: AsyncIterator<T>,
  signal: AbortSignal,
): Promise<IteratorResult<T> | undefined> {
  if (signal.aborted) return undefined
  let onAbort: (() => void) | undefined
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => {
      resolve(undefined)
    }
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([iterator.next(), aborted])
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}

async function drained(
  call: Pick<ResponseStream<unknown>, 'once' | 'off'>,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      call.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    call.once('drain', done)
    signal.addEventListener('abort', done, { once: true })
  })
}

/**
 * The client's messages. Leaving the loop early does not destroy the call: the response half still has
 * to carry the status.
 */
export function streamRequests<Request>(call: Readable): AsyncIterable<Request> {
  return {
    [Symbol.asyncIterator]: () =>
      call.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Request>,
  }
}
