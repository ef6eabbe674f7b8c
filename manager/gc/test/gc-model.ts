/** A world of objects and who keeps them, in the plainest form: what the collector is compared with. */
import type { Labels } from '../../metadata/labels.ts'

export type ModelKind = 'content' | 'image' | 'container' | 'snapshot' | 'lease' | 'ingest'

export interface ModelObject {
  readonly kind: ModelKind
  readonly id: string
  readonly labels: Labels
  /** Digest an image points at, or an ingest waits for; key of a snapshot's parent, or a container's snapshot. */
  readonly target?: string | undefined
  /** Of an image or a lease: its time is over. Of an ingest: its lifetime is over. */
  readonly isExpired?: boolean
  /** Of a lease. */
  readonly isFlat?: boolean
  readonly resources?: readonly { readonly kind: ModelKind; readonly id: string }[]
}

export const SNAPSHOTTER = 'overlayfs'

/** Label prefixes by the kind they lead to. */
export const FORWARD: Readonly<Partial<Record<ModelKind, string>>> = {
  content: 'containerd.io/gc.ref.content',
  image: 'containerd.io/gc.ref.image',
  snapshot: `containerd.io/gc.ref.snapshot.${SNAPSHOTTER}`,
}

export const BACKWARD: Readonly<Partial<Record<ModelKind, string>>> = {
  content: 'containerd.io/gc.bref.content',
  image: 'containerd.io/gc.bref.image',
  container: 'containerd.io/gc.bref.container',
  snapshot: `containerd.io/gc.bref.snapshot.${SNAPSHOTTER}`,
}

type Strength = 'full' | 'flat'

/** Repeats the rules until nothing changes: slow, and easy to believe. */
export function survivors(world: readonly ModelObject[]): ReadonlySet<string> {
  const strengths = new Map<string, Set<Strength>>()
  const isKept = (object: ModelObject, strength: Strength): boolean =>
    strengths.get(nameOf(object))?.has(strength) ?? false
  for (let changed = true; changed;) {
    changed = false
    for (const object of world) {
      for (const strength of ['full', 'flat'] as const) {
        if (isKept(object, strength)) continue
        if (
          !isRoot(object, strength) &&
          !world.some((other) => keeps(other, object, strength, isKept))
        )
          continue
        const known = strengths.get(nameOf(object)) ?? new Set()
        strengths.set(nameOf(object), known.add(strength))
        changed = true
      }
    }
  }
  return new Set(strengths.keys())
}

export function nameOf({ kind, id }: Pick<ModelObject, 'kind' | 'id'>): string {
  return `${kind} ${id}`
}

function isRoot(object: ModelObject, strength: Strength): boolean {
  if (strength === 'flat') return false
  switch (object.kind) {
    case 'container':
      return true
    case 'image':
    case 'lease':
    case 'ingest':
      return object.isExpired !== true
    case 'content':
    case 'snapshot':
      return 'containerd.io/gc.root' in object.labels
  }
}

function keeps(
  keeper: ModelObject,
  object: ModelObject,
  strength: Strength,
  isKept: (object: ModelObject, strength: Strength) => boolean,
): boolean {
  const isStructural =
    (keeper.kind === 'snapshot' && object.kind === 'snapshot' && keeper.target === object.id) ||
    (keeper.kind === 'ingest' && object.kind === 'content' && keeper.target === object.id)
  if (isStructural && isKept(keeper, strength)) return true
  if (!isKept(keeper, 'full')) return false
  const isListed = (keeper.resources ?? []).some(
    ({ kind, id }) => kind === object.kind && id === object.id,
  )
  if (isListed) return (keeper.isFlat === true) === (strength === 'flat')
  if (strength === 'flat') return false
  const isTarget =
    (keeper.kind === 'image' && object.kind === 'content' && keeper.target === object.id) ||
    (keeper.kind === 'container' && object.kind === 'snapshot' && keeper.target === object.id)
  return (
    isTarget ||
    names(keeper.labels, FORWARD[object.kind], object.id) ||
    names(object.labels, BACKWARD[keeper.kind], keeper.id)
  )
}

function names(labels: Labels, prefix: string | undefined, id: string): boolean {
  return Object.entries(labels).some(
    ([key, value]) =>
      prefix !== undefined &&
      value === id &&
      (key === prefix || key.startsWith(`${prefix}/`) || key.startsWith(`${prefix}.`)),
  )
}
