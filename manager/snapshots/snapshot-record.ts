import { namespacedBucket } from '../metadata/bucket.ts'
import type { Labels } from '../metadata/labels.ts'

export type SnapshotKind = 'active' | 'view' | 'committed'

/** Space a snapshot itself takes, without its parents. */
export interface SnapshotUsage {
  readonly sizeBytes: bigint
  readonly inodes: bigint
}

/** What is stored of a snapshot under `[namespace, snapshotter, name]`. */
export interface SnapshotRecord {
  /** Name of its directory below the snapshotter's root. */
  readonly directoryId: bigint
  /** Name of the parent in the same namespace; empty: none. */
  readonly parent: string
  readonly kind: SnapshotKind
  readonly createdAtNs: bigint
  readonly updatedAtNs: bigint
  readonly labels: Labels
  /** Of a committed snapshot, once somebody has asked. */
  readonly usage?: SnapshotUsage
}

export interface SnapshotInfo extends SnapshotRecord {
  readonly name: string
}

export const snapshotBucket = namespacedBucket<SnapshotRecord>('snapshots')

/** `[namespace, snapshotter, parent, child]`: who stands on a snapshot. */
export const snapshotChildBucket =
  namespacedBucket<Readonly<Record<string, never>>>('snapshot-children')
