import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ContentStore } from '../content/content-store.ts'
import type { Digest } from '../content/digest.ts'
import type { Labels } from '../metadata/labels.ts'
import type { LeaseScope } from '../metadata/lease-store.ts'
import type { ImageUnpacker } from '../unpack/image-unpacker.ts'
import { Slots } from '../unpack/slots.ts'
import { BlobFetcher } from './blob-fetcher.ts'
import {
  DOCKER_INDEX,
  OCI_INDEX,
  parseManifest,
  type ContentDescriptor,
  type ImageIndex,
  type ImageManifest,
  type ImagePlatform,
} from './documents.ts'
import { childLabels, sourceLabel } from './image-labels.ts'
import { choosePlatform } from './platform.ts'
import { formatReference } from './reference.ts'
import type { FetchedManifest, RegistryClient } from './registry-client.ts'
import { storeBytes } from './store-content.ts'
import { pairLayers, readDiffIds } from './stored-image.ts'

/** At a time, of one image. */
const PARALLEL_FETCHES = 6
const MAX_INDEX_DEPTH = 3

export type PullEvent =
  'waiting' | 'downloading' | 'complete' | 'extracting' | 'extracted' | 'exists'

export interface PullProgress {
  readonly event: PullEvent
  readonly name: string
  readonly descriptor: ContentDescriptor
  readonly progressBytes: bigint
}

export interface PullOptions {
  readonly client: RegistryClient
  readonly content: ContentStore
  /** Undefined: fetch only. */
  readonly unpacker: ImageUnpacker | undefined
  readonly scope: LeaseScope
  readonly platform: ImagePlatform
  readonly signal: AbortSignal
  readonly onProgress?: (progress: PullProgress) => void
}

export interface PulledImage {
  /** What the image's name is to point to: the index, where there is one. */
  readonly target: ContentDescriptor
  readonly configDigest: Digest
  /** Chain id of the unpacked image. */
  readonly chainId: string | undefined
}

/**
 * Pulls an image: manifest, config and layers into the content store, layers side by side, and each extracted as
 * soon as it is there.
 */
export async function pullImage(options: PullOptions): Promise<PulledImage> {
  const { client, signal } = options
  const { tag, digest } = client.reference
  const root = await client.fetchManifest(digest ?? tag ?? '', signal)
  const target = await storeManifest(options, root)
  const manifest = await findManifest(options, root, 0)
  return { target, ...(await fetchImage(options, manifest)) }
}

/** Follows an index to the manifest for the platform. */
async function findManifest(
  options: PullOptions,
  fetched: FetchedManifest,
  depth: number,
): Promise<ImageManifest> {
  const subject = formatReference(options.client.reference)
  const document = parse(options, fetched)
  if (document.kind === 'manifest') return document
  const chosen = choosePlatform(document, options.platform, subject)
  if (depth === MAX_INDEX_DEPTH) {
    throw new PlatformError('invalidArgument', {
      action: 'read index of',
      subject,
      found: `more than ${String(MAX_INDEX_DEPTH)} indexes in each other`,
    })
  }
  const child = await options.client.fetchManifest(chosen.digest, options.signal)
  if (child.bytes.byteLength !== chosen.sizeBytes) {
    throw new PlatformError('dataLoss', {
      action: 'fetch manifest of',
      subject,
      found: `${String(child.bytes.byteLength)} bytes`,
      wanted: `${String(chosen.sizeBytes)}, as the index says`,
    })
  }
  await storeManifest(options, child)
  return await findManifest(options, child, depth + 1)
}

async function fetchImage(
  options: PullOptions,
  manifest: ImageManifest,
): Promise<Pick<PulledImage, 'configDigest' | 'chainId'>> {
  const { client, content, unpacker, scope } = options
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const fetcher = new BlobFetcher({
    content,
    client,
    scope,
    signal,
    onProgress: (descriptor, progressBytes) => {
      report(options, 'downloading', descriptor, progressBytes)
    },
  })
  const slots = new Slots(PARALLEL_FETCHES)
  const labels = sourceLabel(client.reference.registry, client.reference.repository)
  const fetch = async (descriptor: ContentDescriptor, kind: string): Promise<void> => {
    report(options, 'waiting', descriptor, 0n)
    await slots.run(() => fetcher.fetch(descriptor, `${kind}-${descriptor.digest}`, labels), signal)
    report(options, 'complete', descriptor, BigInt(descriptor.sizeBytes))
  }
  const config = fetch(manifest.config, 'config')
  // The same layer may occur twice in an image; it is fetched once.
  const byDigest = new Map(manifest.layers.map((layer) => [layer.digest, layer]))
  const fetches = new Map([...byDigest].map(([digest, layer]) => [digest, fetch(layer, 'layer')]))
  const unpack = async (): Promise<string | undefined> => {
    await config
    if (unpacker === undefined) return undefined
    const image = { content, namespace: scope.namespace, name: formatReference(client.reference) }
    const diffIds = await readDiffIds(image, manifest.config)
    const layers = pairLayers(manifest, diffIds, image.name).map((layer) => ({
      ...layer,
      fetched: fetches.get(layer.digest) ?? config,
    }))
    return await unpacker.unpack({
      scope,
      configDigest: manifest.config.digest,
      layers,
      signal,
      onLayer: (layer, event) => {
        const descriptor = byDigest.get(layer.digest)
        if (descriptor !== undefined) report(options, event, descriptor, 0n)
      },
    })
  }
  const unpacking = unpack()
  const all = [config, ...fetches.values(), unpacking].map((work: Promise<unknown>) =>
    work.catch((error: unknown) => {
      // The first failure is the one to report; the rest is stopped, and waited for.
      stop.abort(error)
    }),
  )
  await Promise.all(all)
  if (stop.signal.aborted) throw stop.signal.reason
  return { configDigest: manifest.config.digest, chainId: await unpacking }
}

/** Puts a manifest or index into the content store, with the labels by which the collector keeps its parts. */
async function storeManifest(
  options: PullOptions,
  fetched: FetchedManifest,
): Promise<ContentDescriptor> {
  const { content, scope, client } = options
  const { bytes, mediaType, digest } = fetched
  const labels: Labels = {
    ...childLabels(parse(options, fetched)),
    ...sourceLabel(client.reference.registry, client.reference.repository),
  }
  const isIndex = mediaType === OCI_INDEX || mediaType === DOCKER_INDEX
  const ref = `${isIndex ? 'index' : 'manifest'}-${digest}`
  await storeBytes(content, scope, bytes, { ref, digest, labels }, options.signal)
  return { mediaType, digest, sizeBytes: bytes.byteLength, platform: undefined, annotations: {} }
}

function parse(
  { client }: PullOptions,
  { bytes, mediaType, digest }: FetchedManifest,
): ImageManifest | ImageIndex {
  return parseManifest(
    bytes,
    mediaType,
    `manifest ${digest} of ${formatReference(client.reference)}`,
  )
}

function report(
  { onProgress }: PullOptions,
  event: PullEvent,
  descriptor: ContentDescriptor,
  progressBytes: bigint,
): void {
  onProgress?.({ event, name: descriptor.digest, descriptor, progressBytes })
}
