import { randomBytes } from 'node:crypto'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ContentStore } from '../content/content-store.ts'
import type { Digest } from '../content/digest.ts'
import { KeyedLock } from '../content/keyed-lock.ts'
import { withLabel } from '../metadata/labels.ts'
import type { LeaseScope } from '../metadata/lease-store.ts'
import { snapshotLabel, UNCOMPRESSED_LABEL } from '../registry/image-labels.ts'
import { EXTRACTING_LABEL, SNAPSHOT_REF_LABEL, type Snapshotter } from '../snapshots/snapshotter.ts'
import { chainIds } from './chain-id.ts'
import { layerCompression } from './layer-media-type.ts'
import type { LayerUnpacker } from './layer-unpacker.ts'

export interface ImageLayer {
  readonly digest: Digest
  readonly mediaType: string
  /** What the image's config says the inflated layer is. */
  readonly diffId: Digest
  /** Resolves when the blob is in the content store. */
  readonly fetched: Promise<unknown>
}

export interface UnpackImageOptions {
  readonly scope: LeaseScope
  readonly configDigest: Digest
  /** Lowest first. */
  readonly layers: readonly ImageLayer[]
  readonly signal: AbortSignal
  readonly onLayer?: (layer: ImageLayer, event: 'extracting' | 'extracted' | 'exists') => void
}

interface LayerPlan {
  readonly layer: ImageLayer
  readonly chainId: Digest
  /** Chain id of the layer below; empty: none. */
  readonly parent: string
}

/**
 * Unpacks whole images.
 *
 * The layers are extracted side by side, each as soon as it has been fetched, into snapshots without a parent; only the commits,
 * which put each one onto the layer below, are in order (DESIGN 11).
 */
export class ImageUnpacker {
  readonly #content: ContentStore
  readonly #snapshotter: Snapshotter
  readonly #layers: LayerUnpacker
  /** Of several pulls of the same layer one extracts it, the others wait for it. */
  readonly #inProgress = new KeyedLock<string>()

  constructor(content: ContentStore, snapshotter: Snapshotter, layers: LayerUnpacker) {
    this.#content = content
    this.#snapshotter = snapshotter
    this.#layers = layers
  }

  /**
   * @returns the chain id: the name of the snapshot that shows the image
   * @throws what `LayerUnpacker.apply` throws; then nothing half-made is left
   */
  async unpack(options: UnpackImageOptions): Promise<string> {
    const { scope, configDigest, layers } = options
    const plans = planLayers(layers)
    const missing = plans.slice(await this.#countExisting(options, plans))
    const stop = new AbortController()
    const signal = AbortSignal.any([options.signal, stop.signal])
    let below: Promise<unknown> = Promise.resolve()
    const running = missing.map((plan) => {
      below = this.#unpackLayer({ ...options, signal }, plan, below)
      return below
    })
    // When one fails the others are stopped, and all are waited for: each clears up after itself.
    const outcomes = await Promise.allSettled(
      running.map((work) =>
        work.catch((error: unknown) => {
          stop.abort(error)
          throw error
        }),
      ),
    )
    if (stop.signal.aborted) throw stop.signal.reason
    const failed = outcomes.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
    const top = plans.at(-1)?.chainId ?? ''
    if (top !== '') {
      await this.#content.updateLabels(scope.namespace, configDigest, (labels) =>
        withLabel(labels, snapshotLabel(this.#snapshotter.name), top),
      )
    }
    return top
  }

  /** How many layers, from the lowest, are there already. */
  async #countExisting(
    { scope, onLayer }: UnpackImageOptions,
    plans: readonly LayerPlan[],
  ): Promise<number> {
    let highest = plans.length
    while (highest > 0) {
      const plan = plans[highest - 1]
      if (plan !== undefined && (await this.#snapshotter.leaseCommitted(scope, plan.chainId))) break
      highest -= 1
    }
    for (const { layer } of plans.slice(0, highest)) onLayer?.(layer, 'exists')
    return highest
  }

  async #unpackLayer(
    { scope, signal, onLayer }: UnpackImageOptions,
    { layer, chainId, parent }: LayerPlan,
    below: Promise<unknown>,
  ): Promise<void> {
    const { namespace } = scope
    // Whoever fails first is reported; here the failure below only means that there is nothing to stand on.
    const belowDone = below.then(
      () => true,
      () => false,
    )
    await layer.fetched
    // Whoever has a lock waits at most for the layer below it, so nobody waits in a circle.
    using _lock = await this.#inProgress.acquire(`${namespace} ${chainId}`)
    signal.throwIfAborted()
    if (await this.#snapshotter.leaseCommitted(scope, chainId)) {
      onLayer?.(layer, 'exists')
      return
    }
    const key = `extract-${randomBytes(6).toString('hex')} ${chainId}`
    await this.#snapshotter.prepare(scope, {
      key,
      parent: '',
      labels: { [EXTRACTING_LABEL]: 'true' },
    })
    try {
      onLayer?.(layer, 'extracting')
      const { diffId } = await this.#layers.apply(
        {
          digest: layer.digest,
          sizeBytes: this.#content.info(namespace, layer.digest).sizeBytes,
          path: this.#content.blobPath(layer.digest),
          compression: layerCompression(layer.mediaType),
        },
        {
          directory: this.#snapshotter.contentsDirectory(namespace, key),
          whiteouts: parent === '' ? 'remove' : 'overlay',
          sync: false,
        },
        async () =>
          parent !== '' && (await belowDone)
            ? this.#snapshotter.layerDirectories(namespace, parent)
            : [],
        signal,
      )
      checkDiffId(layer, diffId)
      if (!(await belowDone))
        throw new PlatformError('aborted', 'apply layer: the layer below failed')
      await this.#commit(scope, key, chainId, parent)
    } catch (error) {
      await this.#snapshotter.remove(namespace, key)
      throw error
    }
    onLayer?.(layer, 'extracted')
    await this.#content.updateLabels(namespace, layer.digest, (labels) =>
      withLabel(labels, UNCOMPRESSED_LABEL, layer.diffId),
    )
  }

  /** Somebody else may have unpacked the same layer meanwhile; theirs is as good. */
  async #commit(scope: LeaseScope, key: string, chainId: string, parent: string): Promise<void> {
    const labels = { [SNAPSHOT_REF_LABEL]: chainId }
    try {
      await this.#snapshotter.commit(scope, { name: chainId, key, labels, parent })
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === 'alreadyExists')) throw error
      await this.#snapshotter.leaseCommitted(scope, chainId)
      await this.#snapshotter.remove(scope.namespace, key)
    }
  }
}

function planLayers(layers: readonly ImageLayer[]): LayerPlan[] {
  const chain = chainIds(layers.map(({ diffId }) => diffId))
  return layers.flatMap((layer, index) => {
    const chainId = chain[index]
    return chainId === undefined ? [] : [{ layer, chainId, parent: chain[index - 1] ?? '' }]
  })
}

/** @see security.md S-92 */
function checkDiffId({ digest, diffId: wanted }: ImageLayer, found: Digest): void {
  if (found === wanted) return
  throw new PlatformError('dataLoss', {
    action: 'verify inflated layer',
    subject: digest,
    found,
    wanted: `${wanted}, as the image's config says`,
  })
}
