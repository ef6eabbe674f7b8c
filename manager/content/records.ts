import { namespacedBucket } from '../metadata/bucket.ts'
import type { Labels } from '../metadata/labels.ts'
import type { Digest } from './digest.ts'

/** A blob as one namespace sees it. */
export interface BlobRecord {
  readonly sizeBytes: bigint
  readonly createdAtNs: bigint
  readonly updatedAtNs: bigint
  readonly labels: Labels
}

export interface BlobInfo extends BlobRecord {
  readonly digest: Digest
}

/** A write that has not been committed. */
export interface IngestRecord {
  /** Name of the directory below `ingest/`. */
  readonly directory: string
  readonly expected: Digest | undefined
  readonly startedAtNs: bigint
  /** Undefined: it lives as long as the leases that hold it. */
  readonly expiresAtNs: bigint | undefined
}

export interface IngestStatus {
  readonly ref: string
  readonly offsetBytes: bigint
  /** 0n: not known. */
  readonly totalBytes: bigint
  readonly expected: Digest | undefined
  readonly startedAtNs: bigint
  readonly updatedAtNs: bigint
}

/** Keys: namespace, digest. */
export const blobBucket = namespacedBucket<BlobRecord>('content')
/** Keys: namespace, ref. */
export const ingestBucket = namespacedBucket<IngestRecord>('ingests')

export const CONTENT_RESOURCE = 'content'
export const INGEST_RESOURCE = 'ingests'
