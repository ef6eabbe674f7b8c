/** The stages of the journey and how long each took. */
export interface Stage {
  readonly name: string
  readonly durationMs: number
}

export class Stages {
  readonly #ended: Stage[] = []

  /** Runs one stage and takes its time. */
  async time<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now()
    const result = await work()
    this.#ended.push({ name, durationMs: performance.now() - startedMs })
    return result
  }

  get ended(): readonly Stage[] {
    return this.#ended
  }
}
