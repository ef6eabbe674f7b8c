import assert from 'node:assert/strict'
import { openContentFixture, type ContentFixture } from '../../content/test/content-fixture.ts'
import { blobBucket, ingestBucket } from '../../content/records.ts'
import { namespacedBucket } from '../../metadata/bucket.ts'
import { containerBucket } from '../../metadata/container-store.ts'
import { imageBucket, ImageStore } from '../../metadata/image-store.ts'
import type { Labels } from '../../metadata/labels.ts'
import { leaseBucket, leaseResourceBucket } from '../../metadata/lease-store.ts'
import type { ReadTransaction, WriteTransaction } from '../../metadata/transaction.ts'
import type { CollectableSnapshots } from '../collectable-snapshots.ts'
import { Collector } from '../collector.ts'
import {
  BACKWARD,
  FORWARD,
  nameOf,
  SNAPSHOTTER,
  survivors,
  type ModelKind,
  type ModelObject,
} from './gc-model.ts'

const NAMESPACE = 'ns'
const NOW_NS = 1_000_000_000_000_000_000n
const PAST = '2000-01-01T00:00:00Z'
const FUTURE = '2100-01-01T00:00:00Z'

interface SnapshotRecord {
  readonly parent: string | undefined
  readonly labels: Labels
}

const snapshotBucket = namespacedBucket<SnapshotRecord>('test-snapshots')

/** Refuses, like a real snapshotter, to remove a parent before its children. */
const snapshots: CollectableSnapshots = {
  list: (tx) =>
    tx.list(snapshotBucket).map(({ key: [namespace = '', snapshotter = '', key = ''], value }) => ({
      namespace,
      snapshotter,
      key,
      ...value,
    })),
  remove: (tx, { namespace, snapshotter, key }) => {
    const children = tx
      .list(snapshotBucket, [namespace, snapshotter])
      .filter(({ value }) => value.parent === key)
    assert.deepEqual(children, [])
    tx.delete(snapshotBucket, [namespace, snapshotter, key])
  },
  reclaim: () => Promise.resolve(),
}

const digest = (index: number): string => `sha256:${index.toString(16).padStart(64, '0')}`

describe('Collector: containerd-behaviour.md §d', () => {
  let fixture: ContentFixture
  let collector: Collector

  beforeEach(async () => {
    fixture = await openContentFixture()
    const { store, content, events } = fixture
    const images = new ImageStore(store, events)
    collector = new Collector({ store, content, images, snapshots, clock: () => NOW_NS })
  })

  afterEach(async () => {
    await fixture[Symbol.asyncDispose]()
  })

  const survivorsOf = async (world: readonly ModelObject[]): Promise<ReadonlySet<string>> => {
    await fixture.store.write((tx) => {
      for (const object of world) write(tx, object)
    })
    await collector.collect()
    return fixture.store.read(readWorld)
  }

  const content = (id: string, labels: Labels = {}): ModelObject => ({
    kind: 'content',
    id,
    labels,
  })

  it('keeps what an image leads to, and nothing else', async () => {
    const kept = await survivorsOf([
      { kind: 'image', id: 'i', labels: {}, target: digest(1) },
      content(digest(1), { 'containerd.io/gc.ref.content.l.0': digest(2) }),
      content(digest(2), { [`containerd.io/gc.ref.snapshot.${SNAPSHOTTER}`]: 'chain' }),
      { kind: 'snapshot', id: 'chain', labels: {}, target: 'base' },
      { kind: 'snapshot', id: 'base', labels: {} },
      { kind: 'snapshot', id: 'other', labels: {}, target: 'base' },
      content(digest(3)),
    ])
    assert.deepEqual(
      [...kept].sort(),
      [
        `content ${digest(1)}`,
        `content ${digest(2)}`,
        'image i',
        'snapshot base',
        'snapshot chain',
      ].sort(),
    )
  })

  it('does not follow labels from a flat lease, but keeps the parents of a snapshot', async () => {
    const kept = await survivorsOf([
      {
        kind: 'lease',
        id: 'l',
        labels: { 'containerd.io/gc.flat': '1' },
        isFlat: true,
        resources: [
          { kind: 'content', id: digest(1) },
          { kind: 'snapshot', id: 'top' },
        ],
      },
      content(digest(1), { 'containerd.io/gc.ref.content': digest(2) }),
      content(digest(2)),
      { kind: 'snapshot', id: 'top', labels: {}, target: 'base' },
      { kind: 'snapshot', id: 'base', labels: {} },
    ])
    assert.deepEqual([...kept].sort(), [
      `content ${digest(1)}`,
      'lease l',
      'snapshot base',
      'snapshot top',
    ])
  })

  it('deletes an expired image with an event, and an expired lease with its list', async () => {
    const stop = new AbortController()
    const events = fixture.events.subscribe(() => true, stop.signal)
    const kept = await survivorsOf([
      { kind: 'image', id: 'old', labels: { 'containerd.io/gc.expire': PAST }, target: digest(1) },
      {
        kind: 'image',
        id: 'new',
        labels: { 'containerd.io/gc.expire': FUTURE },
        target: digest(2),
      },
      content(digest(1)),
      content(digest(2)),
      {
        kind: 'lease',
        id: 'l',
        labels: { 'containerd.io/gc.expire': PAST },
        resources: [{ kind: 'content', id: digest(1) }],
      },
    ])
    assert.deepEqual([...kept].sort(), [`content ${digest(2)}`, 'image new'])
    assert.equal(
      fixture.store.read((tx) => tx.hasAny(leaseResourceBucket, [NAMESPACE])),
      false,
    )
    for await (const { topic } of events) {
      assert.equal(topic, '/images/delete')
      stop.abort()
    }
  })

  it('survives references in circles', async () => {
    const kept = await survivorsOf([
      content(digest(1), { 'containerd.io/gc.ref.content': digest(2) }),
      content(digest(2), { 'containerd.io/gc.ref.content': digest(1) }),
      content(digest(3), {
        'containerd.io/gc.root': '',
        'containerd.io/gc.ref.content': digest(3),
      }),
    ])
    assert.deepEqual([...kept], [`content ${digest(3)}`])
  })

  it('keeps an ingest while somebody writes to it, whatever its record says', async () => {
    const writer = await fixture.content.openWriter(
      { namespace: NAMESPACE, leaseId: undefined },
      { ref: 'open' },
    )
    await fixture.store.write((tx) => {
      const record = tx.get(ingestBucket, [NAMESPACE, 'open'])
      assert.ok(record !== undefined)
      tx.put(ingestBucket, [NAMESPACE, 'open'], { ...record, expiresAtNs: 0n })
    })
    await collector.collect()
    assert.deepEqual([...fixture.store.read(readWorld)], ['ingest open'])
    await writer[Symbol.asyncDispose]()
    await collector.collect()
    assert.deepEqual([...fixture.store.read(readWorld)], [])
  })

  for (let seed = 1; seed <= 40; seed += 1) {
    it(`keeps what the reference model keeps, after random operations (seed ${String(seed)})`, async () => {
      const random = randomNumbers(seed)
      let world: readonly ModelObject[] = []
      for (let round = 0; round < 4; round += 1) {
        const additions = Array.from({ length: 12 }, () => randomObject(random))
        const named = new Map([...world, ...additions].map((object) => [nameOf(object), object]))
        world = [...named.values()].filter(() => random(10) > 0)
        await fixture.store.write((tx) => {
          clear(tx)
          for (const object of world) write(tx, object)
        })
        const expected = survivors(world)
        await collector.collect()
        assert.deepEqual([...fixture.store.read(readWorld)].sort(), [...expected].sort())
        world = world.filter((object) => expected.has(nameOf(object)))
      }
    })
  }
})

function write(tx: WriteTransaction, object: ModelObject): void {
  const { kind, id, labels, target, resources = [] } = object
  const times = { createdAtNs: 0n, updatedAtNs: 0n }
  switch (kind) {
    case 'content':
      tx.put(blobBucket, [NAMESPACE, id], { sizeBytes: 1n, labels, ...times })
      return
    case 'image': {
      const descriptor = { mediaType: 'm', digest: target ?? '', sizeBytes: 1n, annotations: {} }
      tx.put(imageBucket, [NAMESPACE, id], { labels, target: descriptor, ...times })
      return
    }
    case 'container':
      tx.put(containerBucket, [NAMESPACE, id], {
        labels,
        image: '',
        runtime: { name: 'r', options: undefined },
        spec: undefined,
        snapshotter: SNAPSHOTTER,
        snapshotKey: target ?? '',
        extensions: {},
        sandbox: '',
        ...times,
      })
      return
    case 'snapshot':
      tx.put(snapshotBucket, [NAMESPACE, SNAPSHOTTER, id], { parent: target, labels })
      return
    case 'lease':
      tx.put(leaseBucket, [NAMESPACE, id], { createdAtNs: 0n, labels })
      for (const resource of resources) {
        tx.put(leaseResourceBucket, [NAMESPACE, id, LEASE_TYPES[resource.kind], resource.id], {})
      }
      return
    case 'ingest':
      tx.put(ingestBucket, [NAMESPACE, id], {
        directory: `d${id}`,
        expected: target as never,
        startedAtNs: 0n,
        expiresAtNs: object.isExpired === true ? 0n : NOW_NS + 1n,
      })
  }
}

const LEASE_TYPES: Readonly<Record<ModelKind, string>> = {
  content: 'content',
  image: 'images',
  ingest: 'ingests',
  snapshot: `snapshots/${SNAPSHOTTER}`,
  container: 'none',
  lease: 'none',
}

function clear(tx: WriteTransaction): void {
  const buckets = [
    ...[blobBucket, imageBucket, containerBucket, snapshotBucket],
    ...[leaseBucket, leaseResourceBucket, ingestBucket],
  ]
  for (const bucket of buckets) for (const key of tx.keys(bucket)) tx.delete(bucket, key)
}

function readWorld(tx: ReadTransaction): ReadonlySet<string> {
  const names = (bucket: Parameters<ReadTransaction['keys']>[0], kind: ModelKind): string[] =>
    tx.keys(bucket).map((key) => nameOf({ kind, id: key.at(-1) ?? '' }))
  return new Set([
    ...names(blobBucket, 'content'),
    ...names(imageBucket, 'image'),
    ...names(containerBucket, 'container'),
    ...names(snapshotBucket, 'snapshot'),
    ...names(leaseBucket, 'lease'),
    ...names(ingestBucket, 'ingest'),
  ])
}

const KINDS: readonly ModelKind[] = [
  ...(['content', 'content', 'content', 'snapshot', 'snapshot'] as const),
  ...(['image', 'container', 'lease', 'ingest'] as const),
]

type Random = (below: number) => number

/** Few names, so that references meet. A snapshot's parent has a smaller number: no circles, as in a real one. */
function randomObject(random: Random): ModelObject {
  const kind = KINDS[random(KINDS.length)] ?? 'content'
  const number = random(kind === 'content' || kind === 'snapshot' ? 14 : 3)
  const id = idOf(kind, number)
  const labels = randomLabels(random)
  switch (kind) {
    case 'content':
      return { kind, id, labels }
    case 'snapshot': {
      const target = number > 0 && random(3) > 0 ? idOf('snapshot', random(number)) : undefined
      return { kind, id, labels, target }
    }
    case 'container':
      return { kind, id, labels: forwardOnly(labels), target: idOf('snapshot', random(14)) }
    case 'ingest':
      return {
        kind,
        id,
        labels: {},
        target: idOf('content', random(14)),
        isExpired: random(2) === 0,
      }
    case 'image':
    case 'lease': {
      const isExpired = random(3) === 0
      const isFlat = kind === 'lease' && random(2) === 0
      const marks = {
        ...(isExpired ? { 'containerd.io/gc.expire': PAST } : {}),
        ...(isFlat ? { 'containerd.io/gc.flat': 'yes' } : {}),
      }
      const own = { ...(kind === 'lease' ? forwardOnly(labels) : labels), ...marks }
      const target = kind === 'image' ? idOf('content', random(14)) : undefined
      const resources = kind === 'lease' ? randomResources(random) : []
      return { kind, id, labels: own, target, isExpired, isFlat, resources }
    }
  }
}

function idOf(kind: ModelKind, number: number): string {
  return kind === 'content' ? digest(number) : `${kind}-${String(number)}`
}

function randomLabels(random: Random): Labels {
  const labels: Record<string, string> = {}
  for (let count = random(3); count > 0; count -= 1) {
    const suffix = random(2) === 0 ? '' : `/${String(random(3))}`
    const targets = random(4) === 0 ? BACKWARD : FORWARD
    const kinds = Object.entries(targets) as [ModelKind, string][]
    const [kind, prefix] = kinds[random(kinds.length)] ?? ['content', '']
    labels[`${prefix}${suffix}`] = idOf(
      kind,
      random(kind === 'content' || kind === 'snapshot' ? 14 : 3),
    )
  }
  if (random(25) === 0) labels['containerd.io/gc.root'] = '1'
  return labels
}

function forwardOnly(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !key.includes('.bref.')))
}

function randomResources(random: Random): NonNullable<ModelObject['resources']> {
  const kinds: readonly ModelKind[] = ['content', 'snapshot', 'image', 'ingest']
  return Array.from({ length: random(4) }, () => {
    const kind = kinds[random(kinds.length)] ?? 'content'
    return { kind, id: idOf(kind, random(kind === 'content' || kind === 'snapshot' ? 14 : 3)) }
  })
}

/** A small generator, so that a failure can be repeated. */
function randomNumbers(seed: number): Random {
  let state = seed * 2_654_435_769
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    const mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39)
    return ((mixed ^ (mixed >>> 15)) >>> 0) % below
  }
}
