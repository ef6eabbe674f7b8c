import { sleep } from '../sleep.ts'

const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 50

/** Pauses between looks at something the kernel offers no notification for: 1 ms, 2 ms, 4 ms … 50 ms. */
export class Backoff {
  readonly #deadline: number
  #pauseMs = FIRST_PAUSE_MS

  constructor(deadlineMs: number) {
    this.#deadline = performance.now() + deadlineMs
  }

  /** False when the time is up. */
  async pause(): Promise<boolean> {
    if (performance.now() >= this.#deadline) return false
    await sleep(this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
    return true
  }
}
