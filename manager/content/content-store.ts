import { createHash } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { EventHub } from '../events/event-hub.ts'
import {
  leaseResource,
  releaseResource,
  requireCallLease,
  type LeaseScope,
} from '../metadata/lease-store.ts'
import { parseLabels, type Labels } from '../metadata/labels.ts'
import { namespaceBucket, type MetadataStore } from '../metadata/store.ts'
import { nowNs } from '../metadata/timestamp.ts'
import type { ReadTransaction, WriteTransaction } from '../metadata/transaction.ts'
import { BlobFiles } from './blob-files.ts'
import { ContentWriter, type IngestSource } from './content-writer.ts'
import { algorithmOf, parseDigest, type Digest } from './digest.ts'
import { IngestFile, readProgress, readTotalBytes } from './ingest-file.ts'
import { KeyedLock } from './keyed-lock.ts'
import {
  blobBucket,
  CONTENT_RESOURCE,
  ingestBucket,
  INGEST_RESOURCE,
  type BlobInfo,
  type BlobRecord,
  type IngestRecord,
  type IngestStatus,
} from './records.ts'
import { OpenBlobs } from './open-blobs.ts'
import { readRange } from './read-range.ts'

const INGEST_LIFETIME_NS = 24n * 3600n * 1_000_000_000n

export interface OpenWriterOptions {
  /** Names the ingest: free text, unique in the namespace. */
  readonly ref: string
  /** 0n: not known. */
  readonly totalBytes?: bigint
  readonly expected?: Digest | undefined
}

export interface ContentStoreOptions {
  readonly rootDir: string
  readonly store: MetadataStore
  readonly events: EventHub
}

/**
 * Content by digest. Bytes are stored once; what a namespace sees is a record of its own. Deleting takes
 * the record away, the bytes go when no namespace has one (`sweep`).
 *
 * @see containerd-behaviour.md §c
 */
export class ContentStore implements AsyncDisposable {
  readonly rootDir: string
  readonly #store: MetadataStore
  readonly #events: EventHub
  readonly #ingestDir: string
  readonly #blobs: BlobFiles
  readonly #openBlobs: OpenBlobs
  /** Held while a blob file comes or goes, so that no sweep removes what is just being committed. */
  readonly #blobLock = new KeyedLock<Digest>()
  /** Refs that have a writer. */
  readonly #openRefs = new Set<string>()

  private constructor({ rootDir, store, events }: ContentStoreOptions) {
    this.rootDir = join(rootDir, 'io.containerd.content.v1.content')
    this.#store = store
    this.#events = events
    this.#ingestDir = join(this.rootDir, 'ingest')
    this.#blobs = new BlobFiles(this.rootDir)
    this.#openBlobs = new OpenBlobs((digest) => this.#blobs.open(digest))
  }

  static async open(options: ContentStoreOptions): Promise<ContentStore> {
    const content = new ContentStore(options)
    try {
      await content.#blobs.prepare()
      await mkdir(content.#ingestDir, { recursive: true, mode: 0o711 })
    } catch (error) {
      throw wrapSystemError(error, { action: 'open the content store', path: content.rootDir })
    }
    return content
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#openBlobs[Symbol.asyncDispose]()
  }

  /** @throws notFound */
  info(namespace: string, digest: Digest): BlobInfo {
    const record = this.#store.read((tx) => tx.get(blobBucket, [namespace, digest]))
    if (record === undefined) throw contentNotFound('find', digest)
    return { digest, ...record }
  }

  has(namespace: string, digest: Digest): boolean {
    return this.#store.read((tx) => tx.has(blobBucket, [namespace, digest]))
  }

  list(namespace: string): readonly BlobInfo[] {
    return this.#store.read((tx) =>
      tx.list(blobBucket, [namespace]).map(({ key, value }) => ({
        digest: parseDigest(key[1] ?? ''),
        ...value,
      })),
    )
  }

  /** Changes the labels. @throws notFound */
  async updateLabels(
    namespace: string,
    digest: Digest,
    change: (labels: Labels) => Labels,
  ): Promise<BlobInfo> {
    return this.#store.write((tx) => {
      const current = tx.get(blobBucket, [namespace, digest])
      if (current === undefined) throw contentNotFound('update', digest)
      const labels = parseLabels(change(current.labels))
      const record: BlobRecord = { ...current, labels, updatedAtNs: nowNs() }
      tx.put(blobBucket, [namespace, digest], record)
      return { digest, ...record }
    })
  }

  /** Takes the content out of the namespace. @throws notFound */
  async delete(scope: LeaseScope, digest: Digest): Promise<void> {
    const { namespace } = scope
    await this.#store.write((tx) => {
      if (!tx.has(blobBucket, [namespace, digest])) throw contentNotFound('delete', digest)
      tx.delete(blobBucket, [namespace, digest])
      releaseResource(tx, scope, { type: CONTENT_RESOURCE, id: digest })
      tx.noteDeletion()
      tx.afterCommit(() => {
        this.#events.publish(namespace, '/content/delete', 'containerd.events.ContentDelete', {
          digest,
        })
      })
    })
  }

  /** Path of a blob's file, for programs that read it themselves. It may be opened, never changed. */
  blobPath(digest: Digest): string {
    return this.#blobs.path(digest)
  }

  /**
   * The bytes of a blob in chunks of at most a mebibyte.
   *
   * @param sizeBytes 0n, or more than there is: to the end
   * @throws notFound, outOfRange
   */
  read(
    namespace: string,
    digest: Digest,
    offsetBytes = 0n,
    sizeBytes = 0n,
  ): AsyncGenerator<{ readonly offsetBytes: bigint; readonly data: Buffer }> {
    const info = this.info(namespace, digest)
    return readRange(() => this.#openBlobs.read(digest), info, offsetBytes, sizeBytes)
  }

  /** A whole small blob (manifest, index, config). @throws failedPrecondition when it is larger than `limitBytes` */
  async readAll(namespace: string, digest: Digest, limitBytes: number): Promise<Buffer> {
    const { sizeBytes } = this.info(namespace, digest)
    if (sizeBytes > BigInt(limitBytes)) {
      throw new PlatformError('failedPrecondition', {
        action: 'read content',
        subject: digest,
        found: `${String(sizeBytes)} bytes`,
        wanted: `at most ${String(limitBytes)}`,
      })
    }
    const chunks: Buffer[] = []
    for await (const { data } of this.read(namespace, digest)) chunks.push(data)
    return Buffer.concat(chunks)
  }

  /**
   * Begins an ingest, or goes on with one.
   *
   * @throws unavailable while the ref has another writer
   * @throws alreadyExists when the namespace has the expected content; it is leased then
   */
  async openWriter(scope: LeaseScope, options: OpenWriterOptions): Promise<ContentWriter> {
    const { ref, totalBytes = 0n, expected } = options
    const key = refKey(scope.namespace, ref)
    if (this.#openRefs.has(key)) {
      throw new PlatformError('unavailable', {
        action: 'write content',
        subject: ref,
        found: 'another writer of this ref',
        hint: 'try again later',
      })
    }
    this.#openRefs.add(key)
    try {
      const record = await this.#beginIngest(scope, ref, expected)
      const openFile = (): Promise<IngestFile> => this.#openFile(record, ref, totalBytes)
      return new ContentWriter({
        ref,
        record,
        totalBytes,
        source: await this.#source(record, { expected, totalBytes }, openFile),
        backend: {
          openFile,
          blobPath: (digest) => this.#blobs.path(digest),
          publish: (digest, file, sizeBytes, labels) =>
            this.#publish(scope, ref, record, { digest, file, sizeBytes, labels }),
          unlock: () => this.#openRefs.delete(key),
        },
      })
    } catch (error) {
      this.#openRefs.delete(key)
      throw error
    }
  }

  /** @throws notFound */
  async status(namespace: string, ref: string): Promise<IngestStatus> {
    const record = this.#store.read((tx) => tx.get(ingestBucket, [namespace, ref]))
    if (record === undefined) throw ingestNotFound('find', ref)
    return this.#statusOf(ref, record)
  }

  async listStatuses(namespace: string): Promise<readonly IngestStatus[]> {
    const entries = this.#store.read((tx) => tx.list(ingestBucket, [namespace]))
    return Promise.all(entries.map(({ key, value }) => this.#statusOf(key[1] ?? '', value)))
  }

  /** Gives an ingest up; a writer that is still open will fail to commit. @throws notFound */
  async abort(scope: LeaseScope, ref: string): Promise<void> {
    const { namespace } = scope
    const { directory } = await this.#store.write((tx) => {
      const record = tx.get(ingestBucket, [namespace, ref])
      if (record === undefined) throw ingestNotFound('abort', ref)
      forgetIngest(tx, scope, ref)
      return record
    })
    await this.#removeIngestDirectory(directory)
  }

  hasWriter(namespace: string, ref: string): boolean {
    return this.#openRefs.has(refKey(namespace, ref))
  }

  /**
   * Deletes the bytes that no namespace has a record of, and the ingests without one. Safe beside writers:
   * each blob is looked at once more under its lock.
   *
   * @returns the number of blobs removed
   */
  async sweep(): Promise<number> {
    let removed = 0
    const wanted = this.#store.read(wantedDigests)
    for (const digest of await this.#blobs.list()) {
      if (wanted.has(digest)) continue
      using _lock = await this.#blobLock.acquire(digest)
      // It may have been committed since; from here on it cannot be.
      if (this.#isWanted(digest)) continue
      await this.#openBlobs.forget(digest)
      await this.#blobs.remove(digest)
      removed += 1
    }
    for (const directory of await readdir(this.#ingestDir)) {
      if (!this.#isIngestKnown(directory)) await this.#removeIngestDirectory(directory)
    }
    return removed
  }

  /** Registers the ingest, or leases what is there and refuses. */
  async #beginIngest(
    scope: LeaseScope,
    ref: string,
    expected: Digest | undefined,
  ): Promise<IngestRecord> {
    const { namespace, leaseId } = scope
    const outcome = await this.#store.write((tx): IngestRecord | 'exists' => {
      requireCallLease(tx, scope)
      if (expected !== undefined && tx.has(blobBucket, [namespace, expected])) {
        leaseResource(tx, scope, { type: CONTENT_RESOURCE, id: expected })
        return 'exists'
      }
      leaseResource(tx, scope, { type: INGEST_RESOURCE, id: ref })
      const startedAtNs = nowNs()
      const existing = tx.get(ingestBucket, [namespace, ref])
      const record: IngestRecord = {
        directory:
          existing?.directory ?? ingestDirectory(namespace, tx.nextSequence('ingest'), ref),
        expected: expected ?? existing?.expected,
        startedAtNs: existing?.startedAtNs ?? startedAtNs,
        expiresAtNs: leaseId === undefined ? startedAtNs + INGEST_LIFETIME_NS : undefined,
      }
      tx.put(ingestBucket, [namespace, ref], record)
      return record
    })
    if (outcome === 'exists') throw contentExists(expected ?? '')
    return outcome
  }

  /** With an expected digest that any namespace has brought in, nothing needs to be sent. */
  async #source(
    record: IngestRecord,
    {
      expected,
      totalBytes,
    }: { readonly expected: Digest | undefined; readonly totalBytes: bigint },
    openFile: () => Promise<IngestFile>,
  ): Promise<IngestSource> {
    if (expected !== undefined && (await readProgress(this.#ingestPath(record))) === undefined) {
      // The record of this ingest names the digest, so from here on no sweep takes the blob.
      using _lock = await this.#blobLock.acquire(expected)
      const sizeBytes = await this.#blobs.sizeBytes(expected)
      if (sizeBytes !== undefined) return { kind: 'shared', digest: expected, sizeBytes }
    }
    const file = await openFile()
    if (isSpoilt(file, totalBytes, expected)) await file.truncate()
    return { kind: 'file', file }
  }

  #openFile(record: IngestRecord, ref: string, totalBytes: bigint): Promise<IngestFile> {
    return IngestFile.open({
      directory: this.#ingestPath(record),
      ref,
      startedAt: new Date(Number(record.startedAtNs / 1_000_000n)).toISOString(),
      totalBytes,
      algorithm: record.expected === undefined ? 'sha256' : algorithmOf(record.expected),
    })
  }

  async #publish(
    scope: LeaseScope,
    ref: string,
    { directory }: IngestRecord,
    blob: { digest: Digest; file: IngestFile | undefined; sizeBytes: bigint; labels: Labels },
  ): Promise<BlobInfo> {
    const { namespace } = scope
    const { digest, file, sizeBytes } = blob
    const labels = parseLabels(blob.labels)
    using _lock = await this.#blobLock.acquire(digest)
    const isVisible = this.#store.read((tx) => tx.has(blobBucket, [namespace, digest]))
    const isStored = (await this.#blobs.sizeBytes(digest)) !== undefined
    if (file !== undefined && !isVisible && !isStored)
      await this.#blobs.adopt(file.dataPath, digest)
    if (file === undefined && !isVisible && !isStored) throw contentNotFound('share', digest)
    const outcome = await this.#store.write((tx): BlobInfo | 'exists' => {
      if (tx.get(ingestBucket, [namespace, ref])?.directory !== directory) {
        throw ingestNotFound('commit', ref)
      }
      forgetIngest(tx, scope, ref)
      leaseResource(tx, scope, { type: CONTENT_RESOURCE, id: digest })
      if (tx.has(blobBucket, [namespace, digest])) return 'exists'
      const createdAtNs = nowNs()
      const record: BlobRecord = { sizeBytes, createdAtNs, updatedAtNs: createdAtNs, labels }
      tx.put(blobBucket, [namespace, digest], record)
      tx.afterCommit(() => {
        this.#events.publish(namespace, '/content/create', 'containerd.events.ContentCreate', {
          digest,
          size: sizeBytes,
          mediaType: '',
        })
      })
      return { digest, ...record }
    })
    await this.#removeIngestDirectory(directory)
    if (outcome === 'exists') throw contentExists(digest)
    return outcome
  }

  async #statusOf(ref: string, record: IngestRecord): Promise<IngestStatus> {
    const directory = this.#ingestPath(record)
    const progress = await readProgress(directory)
    return {
      ref,
      offsetBytes: progress?.offsetBytes ?? 0n,
      totalBytes: await readTotalBytes(directory),
      expected: record.expected,
      startedAtNs: record.startedAtNs,
      updatedAtNs: progress?.updatedAtNs ?? record.startedAtNs,
    }
  }

  #isWanted(digest: Digest): boolean {
    return this.#store.read(
      (tx) =>
        tx
          .keys(namespaceBucket)
          .some(([namespace = '']) => tx.has(blobBucket, [namespace, digest])) ||
        tx.list(ingestBucket).some(({ value }) => value.expected === digest),
    )
  }

  #isIngestKnown(directory: string): boolean {
    return this.#store.read((tx) =>
      tx.list(ingestBucket).some(({ value }) => value.directory === directory),
    )
  }

  #ingestPath({ directory }: IngestRecord): string {
    return join(this.#ingestDir, directory)
  }

  async #removeIngestDirectory(directory: string): Promise<void> {
    const path = join(this.#ingestDir, directory)
    try {
      await rm(path, { recursive: true, force: true })
    } catch (error) {
      throw wrapSystemError(error, { action: 'remove ingest', path })
    }
  }
}

/**
 * All the bytes are there and they are the wrong ones: whoever sent them failed to commit, and whoever opens the
 * ingest for the same digest again could do nothing else.
 */
function isSpoilt(file: IngestFile, totalBytes: bigint, expected: Digest | undefined): boolean {
  return (
    expected !== undefined &&
    algorithmOf(expected) === file.algorithm &&
    totalBytes > 0n &&
    file.offsetBytes >= totalBytes &&
    file.digest() !== expected
  )
}

/** What has a record in any namespace, and what an ingest counts on. */
function wantedDigests(tx: ReadTransaction): ReadonlySet<string> {
  const digests = new Set<string>()
  for (const [, digest = ''] of tx.keys(blobBucket)) digests.add(digest)
  for (const { value } of tx.list(ingestBucket)) {
    if (value.expected !== undefined) digests.add(value.expected)
  }
  return digests
}

function forgetIngest(tx: WriteTransaction, scope: LeaseScope, ref: string): void {
  tx.delete(ingestBucket, [scope.namespace, ref])
  releaseResource(tx, scope, { type: INGEST_RESOURCE, id: ref })
}

function refKey(namespace: string, ref: string): string {
  return `${namespace}\0${ref}`
}

function ingestDirectory(namespace: string, sequence: bigint, ref: string): string {
  return createHash('sha256')
    .update(`${namespace}/${String(sequence)}/${ref}`)
    .digest('hex')
}

function contentNotFound(action: string, digest: Digest): PlatformError {
  return new PlatformError('notFound', { action: `${action} content`, subject: digest })
}

function contentExists(digest: string): PlatformError {
  return new PlatformError('alreadyExists', { action: 'write content', subject: digest })
}

function ingestNotFound(action: string, ref: string): PlatformError {
  return new PlatformError('notFound', { action: `${action} ingest`, subject: JSON.stringify(ref) })
}
