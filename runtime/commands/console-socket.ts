/** Hands a terminal's master to whoever listens on `--console-socket`. @see runc docs/terminals.md */
import { closeSync } from 'node:fs'
import { resolve } from 'node:path'
import { native } from '../../native/binding.ts'
import { wrapSystemError } from '../../proto/errors/platform-error.ts'

/** What receivers get as the name of the terminal: that of its master, as from runc. */
const MASTER_NAME = '/dev/ptmx'

export class ConsoleSocket implements Disposable {
  readonly #fd: number
  readonly #path: string

  private constructor(fd: number, path: string) {
    this.#fd = fd
    this.#path = path
  }

  /** Before anything is made: nobody listening is found out at once. @throws */
  static connect(socketPath: string): ConsoleSocket {
    const path = resolve(socketPath)
    try {
      return new ConsoleSocket(native().connectUnix(path), path)
    } catch (error) {
      throw wrapSystemError(error, { action: 'connect to console socket', path })
    }
  }

  /** Takes the master over. */
  send(consoleFd: number): void {
    try {
      native().sendMessage(this.#fd, Buffer.from(MASTER_NAME), [consoleFd])
    } catch (error) {
      throw wrapSystemError(error, { action: 'send terminal', path: this.#path })
    } finally {
      closeSync(consoleFd)
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }
}
