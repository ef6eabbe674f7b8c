import type { ContentStore } from '../content/content-store.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Digest } from '../content/digest.ts'
import type { LeaseScope } from '../metadata/lease-store.ts'
import type { ImageLayer, ImageUnpacker } from '../unpack/image-unpacker.ts'
import {
  DOCKER_INDEX,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_MANIFEST,
  parseImageConfig,
  parseManifest,
  type ContentDescriptor,
  type ImageIndex,
  type ImageManifest,
  type ImagePlatform,
} from './documents.ts'
import { childLabels } from './image-labels.ts'
import { choosePlatform } from './platform.ts'
import { mergeLabels } from './store-content.ts'

const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
const MAX_INDEX_DEPTH = 3

/** An image whose parts are in the content store. */
export interface StoredImage {
  readonly content: ContentStore
  readonly namespace: string
  /** For messages. */
  readonly name: string
}

/** Whether content of this type names other content. */
export function isManifestType(mediaType: string): boolean {
  return [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX].includes(mediaType)
}

/** The manifest for a platform, below an index if there is one. @throws notFound */
export async function findStoredManifest(
  image: StoredImage,
  target: ContentDescriptor,
  platform: ImagePlatform,
  depth = 0,
): Promise<ImageManifest> {
  const document = await readDocument(image, target)
  if (document.kind === 'manifest') return document
  if (depth === MAX_INDEX_DEPTH) throw tooDeep(image)
  return await findStoredManifest(
    image,
    choosePlatform(document, platform, image.name),
    platform,
    depth + 1,
  )
}

/** Labels manifests and indexes, so that the collector keeps what they name. Platforms that are not there are passed over. */
export async function labelStoredImage(
  image: StoredImage,
  { digest, mediaType, ...rest }: ContentDescriptor,
  depth = 0,
): Promise<void> {
  if (!isManifestType(mediaType)) return
  if (depth > MAX_INDEX_DEPTH) throw tooDeep(image)
  const { content, namespace } = image
  const document = await readDocument(image, { digest, mediaType, ...rest })
  await content.updateLabels(namespace, digest, (current) =>
    mergeLabels(current, childLabels(document)),
  )
  if (document.kind === 'manifest') return
  const present = new Set<string>(content.list(namespace).map((blob) => blob.digest))
  for (const child of document.manifests) {
    if (present.has(child.digest)) await labelStoredImage(image, child, depth + 1)
  }
}

/** Unpacks an image whose layers are all there. */
export async function unpackStoredImage(
  image: StoredImage,
  manifest: ImageManifest,
  unpacker: ImageUnpacker,
  scope: LeaseScope,
  signal: AbortSignal,
): Promise<string> {
  const fetched = Promise.resolve()
  const layers = pairLayers(manifest, await readDiffIds(image, manifest.config), image.name).map(
    (layer) => ({ ...layer, fetched }),
  )
  return await unpacker.unpack({ scope, configDigest: manifest.config.digest, layers, signal })
}

/** The diffIDs the config of an image lists. */
export async function readDiffIds(
  { content, namespace, name }: StoredImage,
  { digest }: ContentDescriptor,
): Promise<readonly Digest[]> {
  const bytes = await content.readAll(namespace, digest, MAX_DOCUMENT_BYTES)
  return parseImageConfig(bytes, `config of ${name}`).diffIds
}

/** Puts each layer together with what it is when inflated. @throws invalidArgument when their numbers differ */
export function pairLayers(
  { layers }: ImageManifest,
  diffIds: readonly Digest[],
  name: string,
): Omit<ImageLayer, 'fetched'>[] {
  if (diffIds.length !== layers.length) {
    throw new PlatformError('invalidArgument', {
      action: 'read config of',
      subject: name,
      found: `${String(diffIds.length)} diff_ids`,
      wanted: `${String(layers.length)}, one per layer`,
    })
  }
  return layers.flatMap(({ digest, mediaType }, index) => {
    const diffId = diffIds[index]
    return diffId === undefined ? [] : [{ digest, mediaType, diffId }]
  })
}

async function readDocument(
  { content, namespace, name }: StoredImage,
  { digest, mediaType }: ContentDescriptor,
): Promise<ImageManifest | ImageIndex> {
  const bytes = await content.readAll(namespace, digest, MAX_DOCUMENT_BYTES)
  return parseManifest(bytes, mediaType, `manifest ${digest} of ${name}`)
}

function tooDeep({ name }: StoredImage): PlatformError {
  return new PlatformError('invalidArgument', {
    action: 'read index of',
    subject: name,
    found: `more than ${String(MAX_INDEX_DEPTH)} indexes in each other`,
  })
}
