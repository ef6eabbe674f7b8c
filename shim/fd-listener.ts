/** Accepts connections on a listening socket that was inherited. */
import { closeSync } from 'node:fs'
import { native } from '../native/binding.ts'
import { errnoOf } from '../proto/errors/platform-error.ts'

/** No descriptor is free: those who wait are served when some are. */
const EXHAUSTED_PAUSE_MS = 100

export class FdListener {
  readonly #fd: number
  readonly #onConnection: (fd: number) => void
  readonly #onError: (error: unknown) => void
  #pause: NodeJS.Timeout | undefined
  #isClosed = false

  /**
   * @param onConnection takes the descriptor of each connection over
   * @param onError told of what keeps connections from being accepted; it goes on trying
   */
  constructor(fd: number, onConnection: (fd: number) => void, onError: (error: unknown) => void) {
    this.#fd = fd
    this.#onConnection = onConnection
    this.#onError = onError
    this.#watch()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#pause)
    native().unwatchReadable(this.#fd)
    closeSync(this.#fd)
  }

  #watch(): void {
    native().watchReadable(this.#fd, () => {
      if (!this.#isClosed) this.#accept()
    })
  }

  #accept(): void {
    let fd: number
    try {
      fd = native().accept(this.#fd)
    } catch (error) {
      // EAGAIN, ECONNABORTED: who knocked has gone again.
      const errno = errnoOf(error)
      if (errno === 'EAGAIN' || errno === 'ECONNABORTED') {
        this.#watch()
        return
      }
      this.#onError(error)
      this.#pause = setTimeout(() => {
        this.#watch()
      }, EXHAUSTED_PAUSE_MS)
      return
    }
    this.#watch()
    this.#onConnection(fd)
  }
}
