import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, mkdir, open, readFile, stat, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { errnoOf, wrapSystemError, type PlatformError } from '../../proto/errors/platform-error.ts'
import { digestFrom, type Digest, type DigestAlgorithm } from './digest.ts'

/** Hashing this much takes well under a millisecond; then others get their turn. */
const HASH_SLICE_BYTES = 1024 * 1024
const DATA = 'data'

export interface IngestFileOptions {
  /** `ingest/<name>`; made when it is not there. */
  readonly directory: string
  readonly ref: string
  readonly startedAt: string
  /** 0n: not known. */
  readonly totalBytes: bigint
  readonly algorithm: DigestAlgorithm
}

/** The growing file of one ingest, with the digest of what it holds so far. One holder at a time. */
export class IngestFile implements AsyncDisposable {
  readonly directory: string
  readonly algorithm: DigestAlgorithm
  readonly #file: FileHandle
  #hash: Hash
  #offsetBytes = 0n
  #isClosed = false

  private constructor(directory: string, algorithm: DigestAlgorithm, file: FileHandle) {
    this.directory = directory
    this.algorithm = algorithm
    this.#file = file
    this.#hash = createHash(algorithm)
  }

  /** Opens a new ingest, or goes on with an old one. An old one that was announced with another size starts anew. */
  static async open(options: IngestFileOptions): Promise<IngestFile> {
    const { directory, algorithm, totalBytes } = options
    try {
      const isNew = (await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined
      const storedTotalBytes = isNew ? 0n : await readTotalBytes(directory)
      await describe(options, totalBytes === 0n ? storedTotalBytes : totalBytes)
      const file = await open(join(directory, DATA), constants.O_RDWR | constants.O_CREAT, 0o600)
      const ingest = new IngestFile(directory, algorithm, file)
      const isOther =
        storedTotalBytes !== 0n && totalBytes !== 0n && storedTotalBytes !== totalBytes
      if (isOther) await ingest.truncate()
      else if (!isNew) await ingest.#rehash()
      return ingest
    } catch (error) {
      throw wrapSystemError(error, { action: 'open ingest', subject: options.ref, path: directory })
    }
  }

  get dataPath(): string {
    return join(this.directory, DATA)
  }

  get offsetBytes(): bigint {
    return this.#offsetBytes
  }

  /** Of what has been written so far. */
  digest(): Digest {
    return digestFrom(this.algorithm, this.#hash.copy().digest('hex'))
  }

  /** The digest by another algorithm than the one that was counted on: reads the file once more. */
  async digestBy(algorithm: DigestAlgorithm): Promise<Digest> {
    if (algorithm === this.algorithm) return this.digest()
    const hash = createHash(algorithm)
    for await (const chunk of this.#contents()) hash.update(chunk)
    return digestFrom(algorithm, hash.digest('hex'))
  }

  /** @throws resourceExhausted when the disk is full; what had been there before is there still */
  async append(data: Uint8Array): Promise<void> {
    try {
      await Promise.all([this.#writeAll(data), this.#hashAll(data)])
    } catch (error) {
      await this.#restore()
      throw this.#failure(error, data.byteLength)
    }
    this.#offsetBytes += BigInt(data.byteLength)
  }

  /** Starts over. */
  async truncate(): Promise<void> {
    await this.#file.truncate(0)
    this.#offsetBytes = 0n
    this.#hash = createHash(this.algorithm)
  }

  /** Takes over the bytes of a blob. */
  async copyFrom(path: string): Promise<void> {
    try {
      await copyFile(path, this.dataPath)
      await this.#rehash()
    } catch (error) {
      throw wrapSystemError(error, { action: 'copy blob into ingest', path })
    }
  }

  async sync(): Promise<void> {
    try {
      await this.#file.sync()
    } catch (error) {
      throw wrapSystemError(error, { action: 'flush ingest', path: this.dataPath })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#file.close()
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    let written = 0
    while (written < data.byteLength) {
      const position = Number(this.#offsetBytes) + written
      const result = await this.#file.write(data, written, data.byteLength - written, position)
      written += result.bytesWritten
    }
  }

  async #hashAll(data: Uint8Array): Promise<void> {
    for (let start = 0; start < data.byteLength; start += HASH_SLICE_BYTES) {
      if (start > 0) await nextTurn()
      this.#hash.update(data.subarray(start, start + HASH_SLICE_BYTES))
    }
  }

  /** After a failed write: cut off what half arrived, and count again. */
  async #restore(): Promise<void> {
    await this.#file.truncate(Number(this.#offsetBytes))
    await this.#rehash()
  }

  async #rehash(): Promise<void> {
    this.#hash = createHash(this.algorithm)
    let offsetBytes = 0n
    for await (const chunk of this.#contents()) {
      this.#hash.update(chunk)
      offsetBytes += BigInt(chunk.byteLength)
    }
    this.#offsetBytes = offsetBytes
  }

  async *#contents(): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(HASH_SLICE_BYTES)
    for (let position = 0; ;) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.byteLength, position)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  #failure(error: unknown, sizeBytes: number): PlatformError {
    return wrapSystemError(error, {
      action: 'write content',
      path: this.dataPath,
      found: `${String(this.#offsetBytes)} bytes written`,
      wanted: `room for ${String(sizeBytes)} more`,
    })
  }
}

/** Small files beside the data, in the layout of containerd's store; what counts is in the metadata. */
async function describe(options: IngestFileOptions, totalBytes: bigint): Promise<void> {
  const { directory, ref, startedAt } = options
  await writeFile(join(directory, 'ref'), ref)
  await writeFile(join(directory, 'startedat'), startedAt)
  await writeFile(join(directory, 'updatedat'), new Date().toISOString())
  await writeFile(join(directory, 'total'), String(totalBytes))
}

/** 0n when it is not known. */
export async function readTotalBytes(directory: string): Promise<bigint> {
  try {
    const text = await readFile(join(directory, 'total'), 'utf8')
    return /^\d+$/.test(text) ? BigInt(text) : 0n
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0n
    throw wrapSystemError(error, { action: 'read ingest', path: directory })
  }
}

export interface IngestProgress {
  readonly offsetBytes: bigint
  readonly updatedAtNs: bigint
}

/** How far an ingest has come; undefined when it has no file yet. */
export async function readProgress(directory: string): Promise<IngestProgress | undefined> {
  try {
    const { size, mtimeNs } = await stat(join(directory, DATA), { bigint: true })
    return { offsetBytes: size, updatedAtNs: mtimeNs }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw wrapSystemError(error, { action: 'read ingest', path: directory })
  }
}
