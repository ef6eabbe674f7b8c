import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseDigest, type Digest } from '../../content/digest.ts'
import { openContentFixture, type ContentFixture } from '../../content/test/content-fixture.ts'
import { ImageStore } from '../../metadata/image-store.ts'
import { createLease, deleteLease, type LeaseScope } from '../../metadata/lease-store.ts'
import { NO_SNAPSHOTS } from '../collectable-snapshots.ts'
import { Collector } from '../collector.ts'

const IMAGES = 12
const LAYERS = 4

describe('Collector beside pulls: containerd-behaviour.md §d', () => {
  let fixture: ContentFixture
  let images: ImageStore
  let collector: Collector

  beforeEach(async () => {
    fixture = await openContentFixture()
    images = new ImageStore(fixture.store, fixture.events)
    const { store, content } = fixture
    collector = new Collector({ store, content, images, snapshots: NO_SNAPSHOTS })
  })

  afterEach(async () => {
    await fixture[Symbol.asyncDispose]()
  })

  const write = async (scope: LeaseScope, bytes: Buffer, labels = {}): Promise<Digest> => {
    const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
    try {
      const options = { ref: `layer-${digest}`, expected: digest }
      await using writer = await fixture.content.openWriter(scope, options)
      if (writer.offsetBytes === 0n) await writer.write(bytes)
      await writer.commit({ expected: digest, labels })
    } catch (error) {
      // Another puller of the same namespace was faster, or is at it: then it is there, or will be.
      const code = (error as { readonly code?: string }).code
      if (code === 'unavailable') {
        await nextTurn()
        return write(scope, bytes, labels)
      }
      assert.equal(code, 'alreadyExists')
    }
    return digest
  }

  /** As a client pulls: everything under a lease, layers before the manifest, the image last. */
  const pull = async (index: number): Promise<readonly Digest[]> => {
    const namespace = `ns${String(index % 3)}`
    const leaseId = `pull-${String(index)}`
    const scope = { namespace, leaseId }
    await fixture.store.write((tx) => createLease(tx, namespace, { id: leaseId }))
    const layers = await Promise.all(
      // Neighbours share most of their layers.
      Array.from({ length: LAYERS }, (_, layer) =>
        write(scope, Buffer.from(`layer ${String(layer === 0 ? index : layer)}`)),
      ),
    )
    const labels = Object.fromEntries(
      layers.map((digest, layer) => [`containerd.io/gc.ref.content.l.${String(layer)}`, digest]),
    )
    const manifest = await write(scope, Buffer.from(`manifest ${String(index)}`), labels)
    const target = { mediaType: 'm', digest: manifest, sizeBytes: 1n, annotations: {} }
    await images.create(scope, { name: `image-${String(index)}`, labels: {}, target })
    await fixture.store.write((tx) => {
      deleteLease(tx, namespace, leaseId)
    })
    return [manifest, ...layers]
  }

  it('takes nothing from images that are being pulled, and everything of those deleted', async () => {
    const pulling = new AbortController()
    const collecting = (async () => {
      while (!pulling.signal.aborted) await collector.collect()
    })()
    const indices = Array.from({ length: IMAGES }, (_, index) => index)
    const pulled = await Promise.all(
      indices.map(async (index) => {
        const content = await pull(index)
        const namespace = `ns${String(index % 3)}`
        const isKept = index % 2 === 0
        if (!isKept)
          await images.delete({ namespace, leaseId: undefined }, `image-${String(index)}`)
        return isKept ? { namespace, content } : { namespace, content: [] }
      }),
    )
    pulling.abort()
    await collecting
    await collector.collect()

    for (const { namespace, content } of pulled) {
      for (const digest of content) {
        const bytes = await fixture.content.readAll(namespace, digest, 1000)
        assert.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest)
      }
    }
    const kept = new Set(pulled.flatMap(({ content }) => content))
    const stored = await readdir(join(fixture.content.rootDir, 'blobs', 'sha256'))
    assert.deepEqual(stored.map((name) => `sha256:${name}`).sort(), [...kept].sort())
    assert.deepEqual(await readdir(join(fixture.content.rootDir, 'ingest')), [])
  })
})
