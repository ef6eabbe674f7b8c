/** One direction of one stream, moved by the native thread. */
import { closeSync } from 'node:fs'
import { native } from '../../native/binding.ts'

export class Pump {
  /** Resolves when the source ended or the sink failed; both are closed then. */
  readonly ended: Promise<void>
  readonly #handle: number
  #isEnded = false

  /** Takes both descriptors over, also when it throws. */
  constructor(source: number, sink: number) {
    let resolveEnded: () => void = () => undefined
    this.ended = new Promise((resolve) => {
      resolveEnded = resolve
    })
    try {
      this.#handle = native().startPump({
        source,
        sink,
        onEnd: () => {
          this.#isEnded = true
          resolveEnded()
        },
      })
    } catch (error) {
      closeSync(source)
      closeSync(sink)
      throw error
    }
  }

  /** Moves what is readable now and ends; a sink that takes nothing delays that. */
  stop(): void {
    if (!this.#isEnded) native().stopPump(this.#handle)
  }

  /** Ends now, with what a stalled sink has not taken. */
  abandon(): void {
    this.stop()
    this.stop()
  }
}

/** Waits for pumps to end, but no longer than this. @returns whether all have */
export async function drainPumps(pumps: readonly Pump[], timeoutMs: number): Promise<boolean> {
  if (pumps.length === 0) return true
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false)
    }, timeoutMs)
  })
  const allEnded = Promise.all(pumps.map(({ ended }) => ended)).then(() => true as const)
  const isDrained = await Promise.race([allEnded, timeUp])
  clearTimeout(timer)
  return isDrained
}
