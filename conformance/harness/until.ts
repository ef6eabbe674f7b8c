/** Waiting for a condition that no event announces: asked again and again, up to a deadline. */
import { setTimeout as delay } from 'node:timers/promises'

/** How long a condition may take before the test fails, in milliseconds. */
export const PATIENCE_MS = 20_000

const INTERVAL_MS = 10

/**
 * Asks until the answer is neither undefined nor false.
 *
 * @param what what is waited for, for the message when it never happens
 * @throws Error when the deadline passes; an error of the question ends the wait at once
 */
export async function until<T>(
  what: string,
  question: () => Promise<T | undefined | false> | T | undefined | false,
  patienceMs: number = PATIENCE_MS,
): Promise<T> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const answer = await question()
    if (answer !== undefined && answer !== false) return answer
    if (Date.now() > deadline)
      throw new Error(`waited ${String(patienceMs)} ms in vain for ${what}`)
    await delay(INTERVAL_MS)
  }
}
