/** Lets one holder at a time have each key; the others wait in the order in which they came. */
export class KeyedLock<Key> {
  readonly #tails = new Map<Key, Promise<void>>()

  /** Waits for the key; disposing of the result passes it on. */
  async acquire(key: Key): Promise<Disposable> {
    const before = this.#tails.get(key)
    let release: () => void = () => undefined
    const tail = new Promise<void>((resolve) => {
      release = resolve
    })
    this.#tails.set(key, tail)
    await before
    return {
      [Symbol.dispose]: () => {
        if (this.#tails.get(key) === tail) this.#tails.delete(key)
        release()
      },
    }
  }
}
