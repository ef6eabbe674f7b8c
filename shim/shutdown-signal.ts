/** When the shim may go. */

/** A shim nobody talks to and that serves nothing is a leftover of a daemon that died early. */
const ABANDONED_AFTER_MS = 60_000

export class ShutdownSignal {
  readonly requested: Promise<void>
  readonly #isIdle: () => boolean
  readonly #abandonedAfterMs: number
  #resolve: () => void = () => undefined
  #connections = 0
  #timer: NodeJS.Timeout | undefined

  /** @param isIdle whether no container is left */
  constructor(isIdle: () => boolean, abandonedAfterMs = ABANDONED_AFTER_MS) {
    this.#isIdle = isIdle
    this.#abandonedAfterMs = abandonedAfterMs
    this.requested = new Promise((resolve) => {
      this.#resolve = resolve
    })
    this.#arm()
  }

  /** The answer to the caller leaves first. */
  request(): void {
    clearTimeout(this.#timer)
    setImmediate(this.#resolve)
  }

  connectionOpened(): void {
    this.#connections++
    clearTimeout(this.#timer)
  }

  connectionClosed(): void {
    this.#connections--
    if (this.#connections === 0) this.#arm()
  }

  #arm(): void {
    this.#timer = setTimeout(() => {
      if (this.#connections > 0) return
      if (this.#isIdle()) this.#resolve()
      else this.#arm()
    }, this.#abandonedAfterMs)
    this.#timer.unref()
  }
}
