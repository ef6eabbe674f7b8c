import { PlatformError } from '../../proto/errors/platform-error.ts'

/** The path of a record inside its bucket, outermost part first: `[namespace, id]`, `[namespace, snapshotter, key]`. */
export type RecordKey = readonly string[]

/** A typed family of records. `Record` exists only for the compiler. */
export interface Bucket<Record> {
  readonly name: string
  /** The first key part is a namespace, which comes into being with its first record. */
  readonly isNamespaced: boolean
  readonly recordType?: Record
}

export function namespacedBucket<Record>(name: string): Bucket<Record> {
  return { name, isNamespaced: true }
}

export function globalBucket<Record>(name: string): Bucket<Record> {
  return { name, isNamespaced: false }
}

/** LMDB takes 1978 bytes; the rest is room for what a later schema puts in front. */
const MAX_KEY_BYTES = 1900
const SEPARATOR = '\0'

/**
 * The bytes of a key: parts joined by zero bytes, so that keys sort part by part and the keys below
 * a prefix are one range.
 *
 * @throws invalidArgument when a part holds a zero byte or the whole is too long
 */
export function encodeKey(bucket: Bucket<unknown>, key: RecordKey): Buffer {
  for (const part of key) {
    if (part.includes(SEPARATOR)) {
      throw new PlatformError('invalidArgument', {
        action: `name a record of ${bucket.name}`,
        found: `a zero byte in ${JSON.stringify(part)}`,
        wanted: 'a name without one',
      })
    }
  }
  const bytes = Buffer.from([bucket.name, ...key].join(SEPARATOR))
  if (bytes.byteLength > MAX_KEY_BYTES) {
    throw new PlatformError('invalidArgument', {
      action: `name a record of ${bucket.name}`,
      found: `${String(bytes.byteLength)} bytes`,
      wanted: `at most ${String(MAX_KEY_BYTES)}`,
    })
  }
  return bytes
}

export function decodeKey(bytes: Uint8Array): RecordKey {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString()
    .split(SEPARATOR)
    .slice(1)
}

/** The half-open range of all keys below a prefix. */
export function keyRange(
  bucket: Bucket<unknown>,
  prefix: RecordKey,
): { readonly start: Buffer; readonly end: Buffer } {
  const base = encodeKey(bucket, prefix)
  return { start: Buffer.concat([base, Buffer.of(0)]), end: Buffer.concat([base, Buffer.of(1)]) }
}
