import type { Bucket, RecordKey } from './bucket.ts'

export interface RecordEntry<T> {
  readonly key: RecordKey
  readonly value: T
}

/** A consistent view. It is valid only inside the callback it was given to, which must not await. */
export interface ReadTransaction {
  get<T>(bucket: Bucket<T>, key: RecordKey): T | undefined
  has(bucket: Bucket<unknown>, key: RecordKey): boolean
  /** The records below a prefix in key order, read before this returns. */
  list<T>(bucket: Bucket<T>, prefix?: RecordKey): readonly RecordEntry<T>[]
  /** As `list`, without reading the values. */
  keys(bucket: Bucket<unknown>, prefix?: RecordKey): readonly RecordKey[]
  /** Whether anything lies below a prefix. */
  hasAny(bucket: Bucket<unknown>, prefix: RecordKey): boolean
}

/** A view that sees its own writes. When the callback throws, none of them happened. */
export interface WriteTransaction extends ReadTransaction {
  /** Creates or replaces; in a namespaced bucket the namespace comes into being with it. */
  put<T>(bucket: Bucket<T>, key: RecordKey, value: T): void
  /** Returns whether there was something to delete. */
  delete(bucket: Bucket<unknown>, key: RecordKey): boolean
  /** The next number of a named sequence, from 1n; never given out twice once committed. */
  nextSequence(name: string): bigint
  /** Something may have lost its last reference: the collector runs soon after the commit. */
  noteDeletion(): void
  /** Runs when the commit is durable, in commit order: the place to publish events. */
  afterCommit(effect: () => void): void
}
