import type { CollectableSnapshots } from '../gc/collectable-snapshots.ts'
import { snapshotBucket } from './snapshot-record.ts'
import type { Snapshotter } from './snapshotter.ts'

/** The snapshots of these snapshotters as the collector takes them. */
export function collectableSnapshots(snapshotters: readonly Snapshotter[]): CollectableSnapshots {
  const byName = new Map(snapshotters.map((snapshotter) => [snapshotter.name, snapshotter]))
  const removedDirectories = new Map<Snapshotter, bigint[]>()
  return {
    list: (tx) =>
      tx
        .list(snapshotBucket)
        .map(({ key: [namespace = '', snapshotter = '', key = ''], value }) => ({
          namespace,
          snapshotter,
          key,
          parent: value.parent === '' ? undefined : value.parent,
          labels: value.labels,
        })),
    remove: (tx, { namespace, snapshotter, key }) => {
      const owner = byName.get(snapshotter)
      if (owner === undefined) return
      const directoryId = owner.removeRecord(tx, namespace, key)
      tx.afterCommit(() => {
        const removed = removedDirectories.get(owner) ?? []
        removed.push(directoryId)
        removedDirectories.set(owner, removed)
      })
    },
    // Interrupted, what is left on disk has no record, and the sweep of the next start finds it.
    reclaim: async () => {
      for (const [owner, directoryIds] of removedDirectories) {
        for (const id of directoryIds.splice(0)) await owner.removeDirectory(id)
      }
    },
  }
}
