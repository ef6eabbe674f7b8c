/** `node:timers/promises` would load a dozen modules of the engine into every start of the runtime. */
export function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs)
  })
}
