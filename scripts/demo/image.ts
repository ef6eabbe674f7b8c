/** The image part of the journey: from an archive or a registry to an unpacked snapshot. */
import { createHash } from 'node:crypto'
import { list } from 'tar'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import {
  ContentDefinition,
  WriteAction,
} from '../../proto/generated/containerd/services/content/v1/content.ts'
import { DiffDefinition } from '../../proto/generated/containerd/services/diff/v1/diff.ts'
import { ImagesDefinition } from '../../proto/generated/containerd/services/images/v1/images.ts'
import { SnapshotsDefinition } from '../../proto/generated/containerd/services/snapshots/v1/snapshots.ts'
import type { Descriptor } from '../../proto/generated/containerd/types/descriptor.ts'
import type { Client } from './client.ts'

export const SNAPSHOTTER = 'overlayfs'

/** @see image-spec v1.1 descriptor.md */
interface JsonDescriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
  readonly platform?: { readonly architecture: string; readonly os: string }
}

/** @see image-spec v1.1 config.md */
export interface ImageConfig {
  readonly config?: {
    readonly Entrypoint?: readonly string[] | null
    readonly Cmd?: readonly string[] | null
    readonly Env?: readonly string[] | null
    readonly WorkingDir?: string
    readonly User?: string
  }
  readonly rootfs: { readonly diff_ids: readonly string[] }
}

/** What is known of an image before it is unpacked. */
export interface Image {
  readonly reference: string
  readonly config: ImageConfig
  readonly layers: readonly Descriptor[]
  readonly sizeBytes: number
}

/**
 * Sends the archive's blobs to the content store and names the image, as `ctr images import` does.
 *
 * @returns its reference
 * @see image-spec v1.1 image-layout.md
 */
export async function importArchive(client: Client, file: string): Promise<string> {
  const files = readArchive(file)
  const index = parseJson<{ readonly manifests: readonly JsonDescriptor[] }>(files, 'index.json')
  const target = index.manifests[0]
  const reference = target?.annotations?.['io.containerd.image.name']
  if (target === undefined || reference === undefined) {
    throw new PlatformError('invalidArgument', {
      action: 'import',
      path: file,
      found: 'no named manifest in index.json',
      wanted: 'one with the annotation io.containerd.image.name',
    })
  }
  const manifest = parseJson<Manifest>(files, blobPath(target.digest))
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    await writeBlob(client, digest, fileOf(files, blobPath(digest)), {})
  }
  await writeBlob(client, target.digest, fileOf(files, blobPath(target.digest)), labelsOf(manifest))
  const { create } = ImagesDefinition.methods
  await client.unary(ImagesDefinition, create, {
    image: {
      name: reference,
      labels: {},
      target: descriptorToProto(target),
      createdAt: undefined,
      updatedAt: undefined,
    },
  })
  return reference
}

interface Manifest {
  readonly config: JsonDescriptor
  readonly layers: readonly JsonDescriptor[]
}

/** The labels by which the garbage collector finds what a manifest needs. */
function labelsOf({ config, layers }: Manifest): Record<string, string> {
  const labels = [
    ['containerd.io/gc.ref.content.config', config.digest] as const,
    ...layers.map(
      ({ digest }, index) => [`containerd.io/gc.ref.content.l.${index}`, digest] as const,
    ),
  ]
  return Object.fromEntries(labels)
}

async function writeBlob(
  client: Client,
  digest: string,
  data: Buffer,
  labels: Record<string, string>,
): Promise<void> {
  const ref = `demo-${digest}`
  const total = BigInt(data.length)
  await client.stream(ContentDefinition, ContentDefinition.methods.write, [
    { action: WriteAction.WRITE, ref, total, expected: digest, offset: 0n, data },
    { action: WriteAction.COMMIT, ref, total, expected: digest, offset: total, labels },
  ])
}

/** Reads what the store knows about the image: manifest, configuration, layers. */
export async function inspectImage(client: Client, reference: string): Promise<Image> {
  const { image } = await client.unary(ImagesDefinition, ImagesDefinition.methods.get, {
    name: reference,
  })
  const target = image?.target
  if (target === undefined)
    throw new PlatformError('notFound', { action: 'find image', subject: reference })
  const manifest = await readManifest(client, target.digest)
  const config = await readJson<ImageConfig>(client, manifest.config.digest)
  return {
    reference,
    config,
    layers: manifest.layers.map(descriptorToProto),
    sizeBytes: manifest.layers.reduce((sum, { size }) => sum + size, 0),
  }
}

/** Follows an index to the manifest for this machine. */
async function readManifest(client: Client, digest: string): Promise<Manifest> {
  const document = await readJson<Manifest | { readonly manifests: readonly JsonDescriptor[] }>(
    client,
    digest,
  )
  if (!('manifests' in document)) return document
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const match = document.manifests.find(
    ({ platform }) => platform === undefined || platform.architecture === architecture,
  )
  if (match === undefined) {
    throw new PlatformError('notFound', {
      action: 'find a manifest',
      wanted: `linux/${architecture}`,
    })
  }
  return readManifest(client, match.digest)
}

/**
 * Makes the chain of committed snapshots, one per layer, that is not there yet.
 *
 * @returns the name of the topmost one, the chain id
 */
export async function unpack(client: Client, { config, layers }: Image): Promise<string> {
  let parent = ''
  for (const [index, diffId] of config.rootfs.diff_ids.entries()) {
    const layer = layers[index]
    if (layer === undefined)
      throw new PlatformError('invalidArgument', 'unpack: more diff ids than layers')
    const chainId = parent === '' ? diffId : sha256(`${parent} ${diffId}`)
    if (!(await isUnpacked(client, chainId))) {
      await applyLayer(client, layer, diffId, parent, chainId)
    }
    parent = chainId
  }
  return parent
}

async function applyLayer(
  client: Client,
  layer: Descriptor,
  diffId: string,
  parent: string,
  chainId: string,
): Promise<void> {
  const { methods } = SnapshotsDefinition
  const snapshotter = SNAPSHOTTER
  const key = `extract-demo-${chainId}`
  const { mounts } = await client.unary(SnapshotsDefinition, methods.prepare, {
    snapshotter,
    key,
    parent,
  })
  const { applied } = await client.unary(DiffDefinition, DiffDefinition.methods.apply, {
    diff: layer,
    mounts,
  })
  if (applied?.digest !== diffId) {
    throw new PlatformError('dataLoss', {
      action: 'unpack layer',
      subject: layer.digest,
      found: applied?.digest ?? 'nothing',
      wanted: diffId,
    })
  }
  await client.unary(SnapshotsDefinition, methods.commit, { snapshotter, key, name: chainId })
}

async function isUnpacked(client: Client, chainId: string): Promise<boolean> {
  try {
    await client.unary(SnapshotsDefinition, SnapshotsDefinition.methods.stat, {
      snapshotter: SNAPSHOTTER,
      key: chainId,
    })
    return true
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'notFound') return false
    throw error
  }
}

async function readJson<T>(client: Client, digest: string): Promise<T> {
  const parts = await client.collect(ContentDefinition, ContentDefinition.methods.read, { digest })
  return JSON.parse(Buffer.concat(parts.map(({ data }) => data)).toString()) as T
}

function readArchive(file: string): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>()
  list({
    file,
    sync: true,
    onReadEntry: (entry) => {
      const chunks: Buffer[] = []
      entry.on('data', (chunk: Buffer) => chunks.push(chunk))
      entry.on('end', () => files.set(entry.path, Buffer.concat(chunks)))
    },
  })
  return files
}

function fileOf(files: ReadonlyMap<string, Buffer>, path: string): Buffer {
  const contents = files.get(path)
  if (contents === undefined)
    throw new PlatformError('notFound', { action: 'read the archive', path })
  return contents
}

function parseJson<T>(files: ReadonlyMap<string, Buffer>, path: string): T {
  return JSON.parse(fileOf(files, path).toString()) as T
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`
}

function descriptorToProto({ mediaType, digest, size }: JsonDescriptor): Descriptor {
  return { mediaType, digest, size: BigInt(size), annotations: {} }
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
