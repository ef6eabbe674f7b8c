import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventHub } from '../../events/event-hub.ts'
import { createLease, listLeaseResources } from '../../metadata/lease-store.ts'
import { MetadataStore } from '../../metadata/store.ts'
import { collectableSnapshots } from '../collectable.ts'
import { openOverlayfs, overlayfsRoot } from '../open-overlayfs.ts'
import type { Snapshotter } from '../snapshotter.ts'

const scope = { namespace: 'ns', leaseId: undefined }
const REF = 'containerd.io/snapshot.ref'

describe('Snapshotter', () => {
  let rootDir: string
  let store: MetadataStore
  let events: EventHub
  let snapshots: Snapshotter
  let topics: string[]

  beforeEach(async () => {
    rootDir = await mkdtemp(join(tmpdir(), 'berth-snapshots-'))
    store = await MetadataStore.open(rootDir)
    events = new EventHub()
    topics = []
    events.subscribe((envelope) => {
      topics.push(envelope.topic)
      return false
    }, new AbortController().signal)
    snapshots = await openOverlayfs({ rootDir, store, events })
  })

  afterEach(async () => {
    await store[Symbol.asyncDispose]()
    await rm(rootDir, { recursive: true })
  })

  const prepare = (key: string, parent = '', labels = {}) =>
    snapshots.prepare(scope, { key, parent, labels })
  const commit = (name: string, key: string, parent?: string) =>
    snapshots.commit(scope, { name, key, labels: {}, ...(parent === undefined ? {} : { parent }) })
  const directories = () => readdir(join(overlayfsRoot(rootDir), 'snapshots'))

  async function makeChain(...names: string[]): Promise<void> {
    for (const [index, name] of names.entries()) {
      await prepare(`key ${name}`, names[index - 1] ?? '')
      await commit(name, `key ${name}`)
    }
  }

  it('prepares, commits and stacks', async () => {
    await makeChain('a', 'b')
    const [mount] = await prepare('c', 'b')
    assert.equal(mount?.type, 'overlay')
    assert.match(mount.options.join(), /lowerdir=[^:,]*\/snapshots\/2\/fs:[^:,]*\/snapshots\/1\/fs/)
    assert.deepEqual(
      snapshots.list('ns', []).map(({ name, parent, kind }) => [name, parent, kind]),
      [
        ['a', '', 'committed'],
        ['b', 'a', 'committed'],
        ['c', 'b', 'active'],
      ],
    )
  })

  it('tells of prepare, commit and remove, not of views', async () => {
    await makeChain('a')
    await snapshots.view(scope, { key: 'v', parent: 'a', labels: {} })
    await snapshots.remove('ns', 'v')
    assert.deepEqual(topics, ['/snapshot/prepare', '/snapshot/commit', '/snapshot/remove'])
  })

  it('makes a chain of snapshots that were prepared without parents', async () => {
    await prepare('x')
    await prepare('y')
    await commit('a', 'x')
    await commit('b', 'y', 'a')
    assert.equal(snapshots.stat('ns', 'b').parent, 'a')
    await assert.rejects(snapshots.remove('ns', 'a'), { code: 'failedPrecondition' })
  })

  describe('refuses', () => {
    it('a key that is taken', async () => {
      await prepare('a')
      await assert.rejects(prepare('a'), { code: 'alreadyExists' })
    })

    it('what is to become a snapshot that exists', async () => {
      await makeChain('a')
      await assert.rejects(prepare('k', '', { [REF]: 'a' }), { code: 'alreadyExists' })
    })

    it('a parent that does not exist, or is not committed', async () => {
      await prepare('a')
      await assert.rejects(prepare('b', 'none'), { code: 'notFound' })
      await assert.rejects(prepare('b', 'a'), { code: 'invalidArgument' })
      assert.deepEqual(await directories(), ['1'])
    })

    it('to commit a view, an unknown key, or to a name that is taken', async () => {
      await makeChain('a')
      await snapshots.view(scope, { key: 'v', parent: 'a', labels: {} })
      await prepare('k')
      await assert.rejects(commit('x', 'v'), { code: 'failedPrecondition' })
      await assert.rejects(commit('x', 'none'), { code: 'notFound' })
      await assert.rejects(commit('a', 'k'), { code: 'alreadyExists' })
    })

    it('mounts of a committed snapshot', async () => {
      await makeChain('a')
      assert.throws(() => snapshots.mounts('ns', 'a'), { code: 'failedPrecondition' })
    })

    it('to remove a snapshot that others stand on', async () => {
      await makeChain('a', 'b')
      await assert.rejects(snapshots.remove('ns', 'a'), { code: 'failedPrecondition' })
      await snapshots.remove('ns', 'b')
      await snapshots.remove('ns', 'a')
      assert.deepEqual(await directories(), [])
    })

    it('the snapshots of another namespace', async () => {
      await makeChain('a')
      assert.throws(() => snapshots.stat('other', 'a'), { code: 'notFound' })
      const foreign = { namespace: 'other', leaseId: undefined }
      await assert.rejects(snapshots.prepare(foreign, { key: 'k', parent: 'a', labels: {} }), {
        code: 'notFound',
      })
    })
  })

  it('leaves one winner of many that prepare the same key, and no directory of the others', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => prepare('a')))
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await directories()).length, 1)
  })

  it('moves the entry of the lease from the key to the name', async () => {
    await store.write((tx) => createLease(tx, 'ns', { id: 'l' }))
    const leased = { namespace: 'ns', leaseId: 'l' }
    await snapshots.prepare(leased, { key: 'k', parent: '', labels: {} })
    await snapshots.commit(leased, { name: 'n', key: 'k', labels: {} })
    assert.deepEqual(
      store.read((tx) => listLeaseResources(tx, 'ns', 'l')),
      [{ type: 'snapshots/overlayfs', id: 'n' }],
    )
  })

  it('leases what it reports as existing', async () => {
    await makeChain('a')
    await store.write((tx) => createLease(tx, 'ns', { id: 'l' }))
    const leased = { namespace: 'ns', leaseId: 'l' }
    const again = snapshots.prepare(leased, { key: 'k', parent: '', labels: { [REF]: 'a' } })
    await assert.rejects(again, { code: 'alreadyExists' })
    assert.deepEqual(
      store.read((tx) => listLeaseResources(tx, 'ns', 'l')),
      [{ type: 'snapshots/overlayfs', id: 'a' }],
    )
  })

  it('changes labels by mask and deletes those set to nothing', async () => {
    await prepare('a', '', { keep: '1', drop: '2' })
    const labels = { drop: '', 'x.y': '3' }
    const updated = await snapshots.update('ns', 'a', { labels }, ['labels.drop', 'labels.x.y'])
    assert.deepEqual(updated.labels, { keep: '1', 'x.y': '3' })
    await assert.rejects(snapshots.update('ns', 'a', { labels: {} }, ['parent']), {
      code: 'invalidArgument',
    })
  })

  it('selects by filters', async () => {
    await makeChain('a', 'b')
    await prepare('c', 'b')
    const names = (filter: string) => snapshots.list('ns', [filter]).map(({ name }) => name)
    assert.deepEqual(names('kind==Active'), ['c'])
    assert.deepEqual(names('parent==a'), ['b'])
  })

  it('measures what a snapshot takes, a file with two names once', async () => {
    const [mount] = await prepare('a')
    await writeFile(join(mount?.source ?? '', 'f'), Buffer.alloc(10_000, 1))
    const { inodes, sizeBytes } = await snapshots.usage('ns', 'a')
    assert.equal(inodes, 2n)
    assert.ok(sizeBytes >= 10_000n)
  })

  it('removes what an earlier run left without a record, and nothing else', async () => {
    await makeChain('a')
    const base = join(overlayfsRoot(rootDir), 'snapshots')
    await mkdir(join(base, '77', 'fs'), { recursive: true })
    await mkdir(join(base, 'removed-5', 'fs'), { recursive: true })
    snapshots = await openOverlayfs({ rootDir, store, events })
    assert.deepEqual(await directories(), ['1'])
    await prepare('b', 'a')
    assert.ok(existsSync(join(base, '78', 'fs')))
  })

  it('removes what an earlier run was extracting, not what clients had prepared', async () => {
    await prepare('half', '', { 'io.berth.extracting': 'true' })
    await prepare('theirs')
    snapshots = await openOverlayfs({ rootDir, store, events })
    assert.deepEqual(
      snapshots.list('ns', []).map(({ name }) => name),
      ['theirs'],
    )
    assert.deepEqual(await directories(), ['2'])
  })

  it('gives the collector records to remove, and their directories after the commit', async () => {
    await makeChain('a', 'b')
    const collectable = collectableSnapshots([snapshots])
    const listed = store.read((tx) => collectable.list(tx))
    assert.deepEqual(
      listed.map(({ key, parent }) => [key, parent]),
      [
        ['a', undefined],
        ['b', 'a'],
      ],
    )
    await store.write((tx) => {
      for (const snapshot of [...listed].reverse()) collectable.remove(tx, snapshot)
    })
    await collectable.reclaim()
    assert.deepEqual(await directories(), [])
    assert.deepEqual(snapshots.list('ns', []), [])
  })
})
