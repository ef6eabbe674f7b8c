import type { Labels } from '../metadata/labels.ts'

/** Names a thing the collector may keep or delete. `ingest` and `lease` cannot be referred to by labels. */
export type ResourceType =
  'content' | 'image' | 'container' | 'ingest' | 'lease' | `snapshot/${string}`

export interface ResourceReference {
  readonly type: ResourceType
  readonly id: string
}

/** Keeps an object however unreferenced it is. */
export const ROOT_LABEL = 'containerd.io/gc.root'
/** RFC 3339: after it the object keeps nothing, and is not kept. */
export const EXPIRE_LABEL = 'containerd.io/gc.expire'
/** On a lease: keep what is listed, and the parents of snapshots, but follow no label. */
export const FLAT_LABEL = 'containerd.io/gc.flat'

const REFERENCE = /^containerd\.io\/gc\.(b?)ref\.(content|image|container)(?:[./].*)?$/s
const SNAPSHOT_REFERENCE = /^containerd\.io\/gc\.(b?)ref\.snapshot\.([^/]+)(?:\/.*)?$/s

export interface LabelReferences {
  /** What the labelled object keeps. */
  readonly keeps: readonly ResourceReference[]
  /** What keeps the labelled object (back references). */
  readonly keptBy: readonly ResourceReference[]
}

/** @see containerd-behaviour.md §d */
export function labelReferences(labels: Labels): LabelReferences {
  const keeps: ResourceReference[] = []
  const keptBy: ResourceReference[] = []
  for (const [key, id] of Object.entries(labels)) {
    const plain = REFERENCE.exec(key)
    const snapshot = plain === null ? SNAPSHOT_REFERENCE.exec(key) : null
    const isBackward = (plain ?? snapshot)?.[1] === 'b'
    const type = plain === null ? snapshotType(snapshot?.[2]) : plainType(plain[2])
    // A container is a root by itself: nothing refers to it but backwards.
    if (type === undefined || (type === 'container' && !isBackward)) continue
    ;(isBackward ? keptBy : keeps).push({ type, id })
  }
  return { keeps, keptBy }
}

function plainType(name: string | undefined): ResourceType | undefined {
  return name === 'content' || name === 'image' || name === 'container' ? name : undefined
}

function snapshotType(snapshotter: string | undefined): ResourceType | undefined {
  return snapshotter === undefined ? undefined : `snapshot/${snapshotter}`
}

/** Whether the `gc.expire` label says that the time has passed. What cannot be read does not expire. */
export function isExpired(labels: Labels, timeNs: bigint): boolean {
  const text = labels[EXPIRE_LABEL]
  if (text === undefined) return false
  const expiresAtMs = Date.parse(text)
  return !Number.isNaN(expiresAtMs) && BigInt(expiresAtMs) * 1_000_000n <= timeNs
}
