import { writeSync } from 'node:fs'
import { errnoOf } from '../../proto/errors/platform-error.ts'

/** Nobody reads our output any more, as in `berthctl images | head -1`: there is nothing left to do, and nobody to tell. */
export class OutputClosedError extends Error {
  override readonly name = 'OutputClosedError'
}

const FULL_PIPE_PAUSE_MS = 5

/**
 * Writes at once and whole: what a pump writes to the same place comes after it.
 *
 * @throws OutputClosedError
 */
export function writeWhole(fd: number, text: string): void {
  let rest = Buffer.from(text)
  while (rest.byteLength > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'EPIPE') throw new OutputClosedError('write output', { cause: error })
      if (errno !== 'EAGAIN') throw error
      // Somebody made the pipe non-blocking, and it is full.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS)
    }
  }
}
