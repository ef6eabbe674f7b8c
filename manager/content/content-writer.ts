import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Labels } from '../metadata/labels.ts'
import { nowNs } from '../metadata/timestamp.ts'
import { algorithmOf, type Digest } from './digest.ts'
import type { IngestFile } from './ingest-file.ts'
import type { BlobInfo, IngestRecord, IngestStatus } from './records.ts'

export interface CommitOptions {
  /** 0n or undefined: whatever was written. */
  readonly totalBytes?: bigint
  readonly expected?: Digest | undefined
  readonly labels?: Labels
}

/** Bytes that are written for an ingest: a file of its own, or a blob another namespace has already. */
export type IngestSource =
  | { readonly kind: 'file'; readonly file: IngestFile }
  | { readonly kind: 'shared'; readonly digest: Digest; readonly sizeBytes: bigint }

/** What the store does for a writer. */
export interface WriterBackend {
  /** Opens the file of an ingest that had been satisfied by a shared blob. */
  openFile(): Promise<IngestFile>
  blobPath(digest: Digest): string
  publish(
    digest: Digest,
    file: IngestFile | undefined,
    sizeBytes: bigint,
    labels: Labels,
  ): Promise<BlobInfo>
  /** Gives the ref back; the ingest stays on disk. */
  unlock(): void
}

export interface ContentWriterOptions {
  readonly ref: string
  readonly record: IngestRecord
  readonly totalBytes: bigint
  readonly source: IngestSource
  readonly backend: WriterBackend
}

/**
 * The one writer of an ingest. It holds the lock on the ref until it is disposed of; without a commit the
 * ingest stays and can be gone on with.
 */
export class ContentWriter implements AsyncDisposable {
  readonly ref: string
  readonly #record: IngestRecord
  readonly #totalBytes: bigint
  readonly #backend: WriterBackend
  #source: IngestSource
  #updatedAtNs = nowNs()
  #isClosed = false

  constructor({ ref, record, totalBytes, source, backend }: ContentWriterOptions) {
    this.ref = ref
    this.#record = record
    this.#totalBytes = totalBytes
    this.#source = source
    this.#backend = backend
  }

  get offsetBytes(): bigint {
    return this.#source.kind === 'file' ? this.#source.file.offsetBytes : this.#source.sizeBytes
  }

  status(): IngestStatus {
    return {
      ref: this.ref,
      offsetBytes: this.offsetBytes,
      totalBytes: this.#totalBytes,
      expected: this.#record.expected,
      startedAtNs: this.#record.startedAtNs,
      updatedAtNs: this.#updatedAtNs,
    }
  }

  /** Of what has been written so far. */
  digest(): Digest {
    return this.#source.kind === 'file' ? this.#source.file.digest() : this.#source.digest
  }

  /** Appends. @throws resourceExhausted when the disk is full */
  async write(data: Uint8Array): Promise<void> {
    const file = await this.#ownFile({ copy: true })
    await file.append(data)
    this.#updatedAtNs = nowNs()
  }

  /** Starts over. */
  async truncate(): Promise<void> {
    const file = await this.#ownFile({ copy: false })
    await file.truncate()
    this.#updatedAtNs = nowNs()
  }

  /**
   * Verifies what was written and makes it content of the namespace; durable when it returns.
   *
   * @throws failedPrecondition on another size or digest than expected; the ingest stays
   * @throws alreadyExists when the namespace has it; the ingest is gone and the content is leased
   */
  async commit({ totalBytes = 0n, expected, labels = {} }: CommitOptions): Promise<BlobInfo> {
    const sizeBytes = this.offsetBytes
    if (totalBytes > 0n && totalBytes !== sizeBytes) {
      throw this.#mismatch(`${String(sizeBytes)} bytes`, `${String(totalBytes)} bytes`)
    }
    const file = this.#source.kind === 'file' ? this.#source.file : undefined
    const digest = await this.#digestFor(expected)
    if (expected !== undefined && expected !== digest) throw this.#mismatch(digest, expected)
    await file?.sync()
    return this.#backend.publish(digest, file, sizeBytes, labels)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      if (this.#source.kind === 'file') await this.#source.file[Symbol.asyncDispose]()
    } finally {
      this.#backend.unlock()
    }
  }

  async #digestFor(expected: Digest | undefined): Promise<Digest> {
    if (this.#source.kind === 'shared') return this.#source.digest
    const { file } = this.#source
    return file.digestBy(expected === undefined ? file.algorithm : algorithmOf(expected))
  }

  /** A shared blob is nobody's to change: the first write to it makes a file of our own. */
  async #ownFile({ copy }: { readonly copy: boolean }): Promise<IngestFile> {
    if (this.#source.kind === 'file') return this.#source.file
    const { digest } = this.#source
    const file = await this.#backend.openFile()
    if (copy) await file.copyFrom(this.#backend.blobPath(digest))
    this.#source = { kind: 'file', file }
    return file
  }

  #mismatch(found: string, wanted: string): PlatformError {
    return new PlatformError('failedPrecondition', {
      action: 'commit content',
      subject: this.ref,
      found,
      wanted,
    })
  }
}
