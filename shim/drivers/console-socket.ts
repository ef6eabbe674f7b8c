/** Receives the terminal's master that a runtime sends over `--console-socket`. */
import { closeSync, unlinkSync } from 'node:fs'
import { native } from '../../native/binding.ts'
import { PlatformError, errnoOf } from '../../proto/errors/platform-error.ts'

/** The message carries the terminal's name, which is of no use here. */
const MAX_MESSAGE_BYTES = 4096

export class ConsoleSocket {
  readonly path: string
  readonly #listenFd: number
  #connectionFd: number | undefined

  /** @param path must fit into sun_path */
  constructor(path: string) {
    this.path = path
    this.#listenFd = native().listenUnix(path)
  }

  /**
   * The master, once the runtime has ended successfully: it was sent before that.
   *
   * @throws internal when the runtime connected without sending one
   */
  async receive(): Promise<number> {
    await readable(this.#listenFd)
    this.#connectionFd = native().accept(this.#listenFd)
    await readable(this.#connectionFd)
    const { fds } = native().receiveMessage(this.#connectionFd, MAX_MESSAGE_BYTES)
    const [master, ...others] = fds
    for (const fd of others) closeSync(fd)
    if (master !== undefined) return master
    const found = 'a message without a descriptor'
    throw new PlatformError('internal', { action: 'receive terminal', path: this.path, found })
  }

  [Symbol.dispose](): void {
    if (this.#connectionFd !== undefined) closeSync(this.#connectionFd)
    closeSync(this.#listenFd)
    try {
      unlinkSync(this.path)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
}

function readable(fd: number): Promise<void> {
  return new Promise((resolve) => {
    native().watchReadable(fd, resolve)
  })
}
