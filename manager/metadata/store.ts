import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { open as openLmdb, type RootDatabase } from 'lmdb'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import {
  decodeKey,
  encodeKey,
  globalBucket,
  keyRange,
  type Bucket,
  type RecordKey,
} from './bucket.ts'
import { decodeRecord, encodeRecord } from './codec.ts'
import type { ReadTransaction, RecordEntry, WriteTransaction } from './transaction.ts'

/** Raised when a record changes its meaning; a store of another version is refused, never guessed at. */
const SCHEMA_VERSION = 1
const SCHEMA_KEY = 'version'
/** Address space, not disk: LMDB maps the file and grows it as needed. */
const MAP_SIZE_BYTES = 64 * 1024 ** 3

interface SchemaRecord {
  readonly version: number
}

/** A namespace exists from its first record until it is deleted. */
export interface NamespaceRecord {
  readonly labels: Readonly<Record<string, string>>
}

const schemaBucket = globalBucket<SchemaRecord>('schema')
const sequenceBucket = globalBucket<{ readonly last: bigint }>('sequences')
export const namespaceBucket = globalBucket<NamespaceRecord>('namespaces')

export interface CommitSummary {
  readonly noteDeletion: boolean
  /** Records put or deleted. */
  readonly mutations: number
}

type Database = RootDatabase<string, Buffer>

/**
 * All metadata of the manager, in one LMDB file. A write is one transaction: durable when it is
 * acknowledged, and none of it there when its callback throws. Concurrent writes share one flush.
 */
export class MetadataStore implements AsyncDisposable {
  readonly path: string
  readonly #database: Database
  readonly #commitListeners: ((summary: CommitSummary) => void)[] = []

  private constructor(path: string, database: Database) {
    this.path = path
    this.#database = database
  }

  /**
   * Opens, or makes, the store below `rootDir`.
   *
   * @throws failedPrecondition when it was written by a version this one does not know
   */
  static async open(rootDir: string): Promise<MetadataStore> {
    const directory = join(rootDir, 'io.berth.metadata.v1.lmdb')
    const path = join(directory, 'meta.lmdb')
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const database = openLmdb<string, Buffer>({
        path,
        noSubdir: true,
        encoding: 'string',
        keyEncoding: 'binary',
        mapSize: MAP_SIZE_BYTES,
        // Otherwise a commit is acknowledged before it is flushed.
        overlappingSync: false,
        cache: false,
      })
      const store = new MetadataStore(path, database)
      await store.#checkSchema()
      return store
    } catch (error) {
      throw wrapSystemError(error, { action: 'open the metadata store', path })
    }
  }

  /** Runs `body` on one consistent view; it must not await. */
  read<T>(body: (tx: ReadTransaction) => T): T {
    // LMDB's own read transaction stays the same until the event loop turns.
    return body(new LmdbReader(this.#database))
  }

  /** Runs `body` in one transaction, which it must not outlive: no await. Resolves when it is durable. */
  async write<T>(body: (tx: WriteTransaction) => T): Promise<T> {
    const { result, writer } = await this.#database.childTransaction(() => {
      const tx = new LmdbWriter(this.#database)
      return { result: body(tx), writer: tx }
    })
    for (const effect of writer.effects) effect()
    const summary = { noteDeletion: writer.noteDeletions, mutations: writer.mutations }
    for (const listener of this.#commitListeners) listener(summary)
    return result
  }

  /** Called after every commit. */
  onCommit(listener: (summary: CommitSummary) => void): void {
    this.#commitListeners.push(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close()
  }

  async #checkSchema(): Promise<void> {
    const found = this.read((tx) => tx.get(schemaBucket, [SCHEMA_KEY]))
    if (found === undefined) {
      await this.write((tx) => {
        tx.put(schemaBucket, [SCHEMA_KEY], { version: SCHEMA_VERSION })
      })
      return
    }
    if (found.version !== SCHEMA_VERSION) {
      throw new PlatformError('failedPrecondition', {
        action: 'open the metadata store',
        path: this.path,
        found: `schema version ${String(found.version)}`,
        wanted: `version ${String(SCHEMA_VERSION)}`,
        hint: 'it was written by another version of berthd',
      })
    }
  }
}

class LmdbReader implements ReadTransaction {
  protected readonly database: Database

  constructor(database: Database) {
    this.database = database
  }

  get<T>(bucket: Bucket<T>, key: RecordKey): T | undefined {
    const text = this.database.get(encodeKey(bucket, key))
    // What lies in a bucket was put there through the same typed bucket.
    return text === undefined ? undefined : (decodeRecord(text) as T)
  }

  has(bucket: Bucket<unknown>, key: RecordKey): boolean {
    return this.database.doesExist(encodeKey(bucket, key))
  }

  list<T>(bucket: Bucket<T>, prefix: RecordKey = []): readonly RecordEntry<T>[] {
    return Array.from(this.database.getRange(keyRange(bucket, prefix)), ({ key, value }) => ({
      key: decodeKey(key),
      value: decodeRecord(value) as T,
    }))
  }

  keys(bucket: Bucket<unknown>, prefix: RecordKey = []): readonly RecordKey[] {
    return Array.from(this.database.getKeys(keyRange(bucket, prefix)), decodeKey)
  }

  hasAny(bucket: Bucket<unknown>, prefix: RecordKey): boolean {
    const range = this.database.getKeys({ ...keyRange(bucket, prefix), limit: 1 })
    return Array.from(range).length > 0
  }
}

class LmdbWriter extends LmdbReader implements WriteTransaction {
  readonly effects: (() => void)[] = []
  noteDeletions = false
  mutations = 0

  put<T>(bucket: Bucket<T>, key: RecordKey, value: T): void {
    const [namespace] = key
    if (bucket.isNamespaced && namespace !== undefined && !this.has(namespaceBucket, [namespace])) {
      this.put(namespaceBucket, [namespace], { labels: {} })
    }
    this.mutations += 1
    this.database.putSync(encodeKey(bucket, key), encodeRecord(value))
  }

  delete(bucket: Bucket<unknown>, key: RecordKey): boolean {
    this.mutations += 1
    return this.database.removeSync(encodeKey(bucket, key))
  }

  nextSequence(name: string): bigint {
    const last = this.get(sequenceBucket, [name])?.last ?? 0n
    const next = last + 1n
    this.put(sequenceBucket, [name], { last: next })
    return next
  }

  noteDeletion(): void {
    this.noteDeletions = true
  }

  afterCommit(effect: () => void): void {
    this.effects.push(effect)
  }
}
