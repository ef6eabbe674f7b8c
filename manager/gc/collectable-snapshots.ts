import type { Labels } from '../metadata/labels.ts'
import type { ReadTransaction, WriteTransaction } from '../metadata/transaction.ts'

/** Names one snapshot: name and key share one space per snapshotter and namespace. */
export interface SnapshotReference {
  readonly namespace: string
  readonly snapshotter: string
  readonly key: string
}

export interface CollectableSnapshot extends SnapshotReference {
  /** Key of the parent in the same snapshotter and namespace; a snapshot keeps its parent. */
  readonly parent: string | undefined
  readonly labels: Labels
}

/**
 * The snapshots of all snapshotters, as the collector sees them. It lists and removes in one transaction,
 * so that a snapshot made at the same time is either seen with its lease or not at all.
 */
export interface CollectableSnapshots {
  /** Every snapshot of every namespace and snapshotter. */
  list(tx: ReadTransaction): readonly CollectableSnapshot[]
  /** Removes the record and publishes `/snapshot/remove` after the commit. Called for children before parents. */
  remove(tx: WriteTransaction, snapshot: SnapshotReference): void
  /** Runs after the commit: deletes from disk what no longer has a record. It must survive being interrupted. */
  reclaim(): Promise<void>
}

/** For a manager without snapshotters. */
export const NO_SNAPSHOTS: CollectableSnapshots = {
  list: () => [],
  remove: () => undefined,
  reclaim: () => Promise.resolve(),
}
