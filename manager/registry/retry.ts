import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../../proto/errors/platform-error.ts'

const ATTEMPTS = 4
const MAX_PAUSE_MS = 5_000

export interface RetryOptions {
  readonly signal: AbortSignal
  /** Pause before the second attempt; it doubles each time. */
  readonly firstPauseMs: number
}

/** Repeats what failed for a passing reason, a bounded number of times. */
export async function retry<T>(
  work: () => Promise<T>,
  { signal, firstPauseMs }: RetryOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === ATTEMPTS || signal.aborted || !isPassing(error)) throw error
    }
    const pauseMs = Math.min(firstPauseMs * 2 ** (attempt - 1), MAX_PAUSE_MS)
    // Spread, so that many pulls that failed together do not come back together.
    await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal })
  }
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof PlatformError &&
    (error.code === 'unavailable' || error.code === 'deadlineExceeded')
  )
}
