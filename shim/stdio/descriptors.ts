import { closeSync } from 'node:fs'

/** Descriptors that are closed together, each once. */
export class Descriptors {
  #open: number[] = []

  add(fd: number): number {
    this.#open.push(fd)
    return fd
  }

  /** The caller of this has given the descriptor away. */
  release(fd: number): number {
    this.#open = this.#open.filter((other) => other !== fd)
    return fd
  }

  closeAll(): void {
    for (const fd of this.#open.splice(0)) closeSync(fd)
  }
}
