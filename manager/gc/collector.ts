import type { ContentStore } from '../content/content-store.ts'
import { blobBucket, ingestBucket } from '../content/records.ts'
import type { ImageStore } from '../metadata/image-store.ts'
import { imageBucket } from '../metadata/image-store.ts'
import { leaseBucket, leaseResourceBucket } from '../metadata/lease-store.ts'
import type { MetadataStore } from '../metadata/store.ts'
import { nowNs } from '../metadata/timestamp.ts'
import type { WriteTransaction } from '../metadata/transaction.ts'
import type { CollectableSnapshot, CollectableSnapshots } from './collectable-snapshots.ts'
import { reachable, type NodeKey } from './graph.ts'
import { nodeKey, scanReferences } from './scan.ts'

/** How many of each were deleted. */
export interface Collection {
  readonly leases: number
  readonly images: number
  readonly content: number
  readonly ingests: number
  readonly snapshots: number
}

export interface CollectorOptions {
  readonly store: MetadataStore
  readonly content: ContentStore
  readonly images: ImageStore
  readonly snapshots: CollectableSnapshots
  /** Wall clock; for tests. */
  readonly clock?: () => bigint
}

/**
 * Deletes what nothing keeps: marks and deletes records in one transaction, then the bytes behind them.
 * A crash in between leaves bytes without records, which the next run finds.
 */
export class Collector {
  readonly #options: CollectorOptions

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  async collect(): Promise<Collection> {
    const { store, content, snapshots } = this.#options
    const collection = await store.write((tx) => this.#collectRecords(tx))
    await snapshots.reclaim()
    await content.sweep()
    return collection
  }

  #collectRecords(tx: WriteTransaction): Collection {
    const { content, images, snapshots: snapshotters, clock = nowNs } = this.#options
    const snapshots = snapshotters.list(tx)
    const hasWriter = (namespace: string, ref: string): boolean => content.hasWriter(namespace, ref)
    const kept = reachable(scanReferences(tx, { snapshots, timeNs: clock(), hasWriter }))
    const lost = (namespace: string, node: Parameters<typeof nodeKey>[1]): boolean =>
      !kept.has(nodeKey(namespace, node))

    const lostImages = tx
      .keys(imageBucket)
      .filter(([namespace = '', id = '']) => lost(namespace, { type: 'image', id }))
    for (const [namespace = '', name = ''] of lostImages) {
      tx.delete(imageBucket, [namespace, name])
      tx.afterCommit(() => {
        images.publishDelete(namespace, name)
      })
    }
    const lostBlobs = tx
      .keys(blobBucket)
      .filter(([namespace = '', id = '']) => lost(namespace, { type: 'content', id }))
    for (const key of lostBlobs) tx.delete(blobBucket, key)
    const lostIngests = tx
      .keys(ingestBucket)
      .filter(([namespace = '', id = '']) => lost(namespace, { type: 'ingest', id }))
    for (const key of lostIngests) tx.delete(ingestBucket, key)
    const lostLeases = tx
      .keys(leaseBucket)
      .filter(([namespace = '', id = '']) => lost(namespace, { type: 'lease', id }))
    for (const [namespace = '', id = ''] of lostLeases) {
      for (const key of tx.keys(leaseResourceBucket, [namespace, id])) {
        tx.delete(leaseResourceBucket, key)
      }
      tx.delete(leaseBucket, [namespace, id])
    }
    const lostSnapshots = childrenFirst(
      snapshots.filter(({ namespace, snapshotter, key }) =>
        lost(namespace, { type: `snapshot/${snapshotter}`, id: key }),
      ),
    )
    for (const snapshot of lostSnapshots) snapshotters.remove(tx, snapshot)
    return {
      leases: lostLeases.length,
      images: lostImages.length,
      content: lostBlobs.length,
      ingests: lostIngests.length,
      snapshots: lostSnapshots.length,
    }
  }
}

/** A snapshot with children cannot be removed, so they go first. */
function childrenFirst(snapshots: readonly CollectableSnapshot[]): readonly CollectableSnapshot[] {
  const keyOf = ({ namespace, snapshotter }: CollectableSnapshot, key: string): NodeKey =>
    nodeKey(namespace, { type: `snapshot/${snapshotter}`, id: key })
  const byKey = new Map(snapshots.map((snapshot) => [keyOf(snapshot, snapshot.key), snapshot]))
  const depths = new Map<CollectableSnapshot, number>()
  for (const snapshot of snapshots) {
    const path: CollectableSnapshot[] = []
    let current: CollectableSnapshot | undefined = snapshot
    while (current !== undefined && !depths.has(current) && !path.includes(current)) {
      path.push(current)
      current = current.parent === undefined ? undefined : byKey.get(keyOf(current, current.parent))
    }
    let depth = current === undefined ? 0 : (depths.get(current) ?? 0)
    for (const ancestor of path.reverse()) depths.set(ancestor, (depth += 1))
  }
  return snapshots.toSorted((a, b) => (depths.get(b) ?? 0) - (depths.get(a) ?? 0))
}
