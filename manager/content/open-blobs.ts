import type { FileHandle } from 'node:fs/promises'
import type { Digest } from './digest.ts'

const MAX_KEPT = 16
const IDLE_MS = 2_000

/** A file somebody reads; disposing of it gives it back. */
export interface OpenBlob extends AsyncDisposable {
  readonly file: FileHandle
}

interface Entry {
  readonly file: Promise<FileHandle>
  readers: number
  isKept: boolean
  timer: NodeJS.Timeout | undefined
}

/**
 * Keeps the files of blobs open for a moment after they were read: clients read a blob in many small calls.
 * At most 16 stay open without a reader; one that is removed is closed by its last reader.
 */
export class OpenBlobs implements AsyncDisposable {
  readonly #open: (digest: Digest) => Promise<FileHandle>
  /** In the order of their last use. */
  readonly #entries = new Map<Digest, Entry>()

  constructor(open: (digest: Digest) => Promise<FileHandle>) {
    this.#open = open
  }

  async read(digest: Digest): Promise<OpenBlob> {
    const entry = this.#entries.get(digest) ?? this.#newEntry(digest)
    entry.readers += 1
    clearTimeout(entry.timer)
    this.#entries.delete(digest)
    this.#entries.set(digest, entry)
    try {
      const file = await entry.file
      return { file, [Symbol.asyncDispose]: () => this.#giveBack(digest, entry) }
    } catch (error) {
      if (this.#entries.get(digest) === entry) this.#entries.delete(digest)
      throw error
    }
  }

  /** For a blob whose bytes are going to be removed. */
  async forget(digest: Digest): Promise<void> {
    const entry = this.#entries.get(digest)
    if (entry === undefined) return
    this.#entries.delete(digest)
    clearTimeout(entry.timer)
    entry.isKept = false
    if (entry.readers === 0) await (await entry.file).close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((digest) => this.forget(digest)))
  }

  #newEntry(digest: Digest): Entry {
    return { file: this.#open(digest), readers: 0, isKept: true, timer: undefined }
  }

  async #giveBack(digest: Digest, entry: Entry): Promise<void> {
    entry.readers -= 1
    if (entry.readers > 0) return
    if (!entry.isKept) {
      await (await entry.file).close()
      return
    }
    // A timer that finds the blob gone or read again has nothing to do; it keeps no process alive.
    entry.timer = setTimeout(() => {
      if (entry.readers === 0) void this.forget(digest)
    }, IDLE_MS).unref()
    const idle = [...this.#entries].filter(([, { readers }]) => readers === 0)
    const [oldest] = idle
    if (idle.length > MAX_KEPT && oldest !== undefined) await this.forget(oldest[0])
  }
}
