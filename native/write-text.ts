import { writeSync } from 'node:fs'
import { errnoOf } from '../proto/errors/platform-error.ts'

export const STDOUT = 1
export const STDERR = 2

/**
 * Writes to a standard stream without loading the engine's stream classes, which would cost more than the
 * rest of a short command (5 to 12 ms of CPU).
 */
export function writeText(fd: number, text: string): void {
  writeBytes(fd, Buffer.from(text))
}

export function writeBytes(fd: number, bytes: Uint8Array): void {
  let written = 0
  while (written < bytes.byteLength) {
    try {
      written += writeSync(fd, bytes, written)
    } catch (error) {
      // Somebody made our pipe non-blocking and is slow to read it.
      if (errnoOf(error) === 'EAGAIN') continue
      // Nobody reads it any more: there is nobody to tell.
      if (errnoOf(error) === 'EPIPE') return
      throw error
    }
  }
}
