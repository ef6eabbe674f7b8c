import { PlatformError } from '../../../proto/errors/platform-error.ts'
import type {
  TransferDefinition,
  TransferRequest,
} from '../../../proto/generated/containerd/services/transfer/v1/transfer.ts'
import type { Empty } from '../../../proto/generated/google/protobuf/empty.ts'
import type { Platform } from '../../../proto/generated/containerd/types/platform.ts'
import type { ImageStore as ImageStoreMessage } from '../../../proto/generated/containerd/types/transfer/imagestore.ts'
import type { ImageImportStream } from '../../../proto/generated/containerd/types/transfer/importexport.ts'
import type { OCIRegistry } from '../../../proto/generated/containerd/types/transfer/registry.ts'
import type { ContentStore } from '../../content/content-store.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import type { ImageStore } from '../../metadata/image-store.ts'
import type { LeaseScope } from '../../metadata/lease-store.ts'
import type { MetadataStore } from '../../metadata/store.ts'
import { importArchive, type ImportedImage } from '../../registry/archive-import.ts'
import type { ContentDescriptor, ImagePlatform } from '../../registry/documents.ts'
import { pullImage } from '../../registry/image-puller.ts'
import { hostPlatform } from '../../registry/platform.ts'
import { formatReference, parseReference, type ImageReference } from '../../registry/reference.ts'
import { RegistryClient } from '../../registry/registry-client.ts'
import {
  findStoredManifest,
  labelStoredImage,
  unpackStoredImage,
} from '../../registry/stored-image.ts'
import type { Snapshotter } from '../../snapshots/snapshotter.ts'
import { ImageUnpacker } from '../../unpack/image-unpacker.ts'
import type { LayerUnpacker } from '../../unpack/layer-unpacker.ts'
import { receiveBytes } from '../streaming/byte-stream.ts'
import type { StreamRegistry } from '../streaming/stream-registry.ts'
import { transferEndFromProto } from './messages.ts'
import { ProgressReporter } from './progress.ts'
import { streamCredentials } from './stream-credentials.ts'
import { withLease } from './work-lease.ts'

export interface TransferServiceOptions {
  readonly store: MetadataStore
  readonly content: ContentStore
  readonly images: ImageStore
  readonly snapshotters: readonly Snapshotter[]
  readonly unpacker: LayerUnpacker
  readonly streams: StreamRegistry
}

/** @see containerd-behaviour.md §j */
export class TransferService implements ServiceHandlers<typeof TransferDefinition> {
  readonly #parts: TransferServiceOptions
  /** By the name of the snapshotter; the first is the default. */
  readonly #unpackers: ReadonlyMap<string, ImageUnpacker>

  constructor(options: TransferServiceOptions) {
    this.#parts = options
    const { content, snapshotters, unpacker } = options
    this.#unpackers = new Map(
      snapshotters.map((snapshotter) => [
        snapshotter.name,
        new ImageUnpacker(content, snapshotter, unpacker),
      ]),
    )
  }

  async transfer(request: TransferRequest, context: CallContext): Promise<Empty> {
    const source = transferEndFromProto(request.source)
    const destination = transferEndFromProto(request.destination)
    const progress = this.#progress(request.options?.progressStream ?? '', context)
    if (destination.kind === 'imageStore') {
      switch (source.kind) {
        case 'registry':
          await this.#pull(source.registry, destination.store, progress, context)
          return {}
        case 'importStream':
          await this.#import(source.stream, destination.store, progress, context)
          return {}
        case 'imageStore':
          await this.#tag(source.store, destination.store, context)
          return {}
        case 'unknown':
          break
      }
    }
    throw new PlatformError('unimplemented', {
      action: 'transfer',
      found: `from ${request.source?.typeUrl ?? ''} to ${request.destination?.typeUrl ?? ''}`,
      wanted: 'a registry, an import stream or an image as source, the image store as destination',
    })
  }

  async #pull(
    registry: OCIRegistry,
    destination: ImageStoreMessage,
    progress: ProgressReporter,
    context: CallContext,
  ): Promise<void> {
    const reference = parseReference(registry.reference)
    const name = destination.name === '' ? formatReference(reference) : destination.name
    using client = this.#client(registry, reference, context)
    progress.step(`Resolving from ${reference.registry}`, name)
    await withLease(this.#parts.store, context, async (scope) => {
      const { target } = await pullImage({
        client,
        content: this.#parts.content,
        unpacker: this.#imageUnpacker(destination),
        scope,
        platform: platformOf(destination),
        signal: context.signal,
        onProgress: (event) => {
          progress.blob(event)
        },
      })
      await this.#saveImage(scope, name, destination, target)
    })
    progress.step('saved', name)
  }

  async #import(
    { stream }: ImageImportStream,
    destination: ImageStoreMessage,
    progress: ProgressReporter,
    context: CallContext,
  ): Promise<void> {
    const { content, store, streams } = this.#parts
    const { signal } = context
    const bytes = receiveBytes(streams.get(context.namespace, stream))
    progress.step('Importing')
    await withLease(store, context, async (scope) => {
      const imported = await importArchive(bytes, { content, scope, signal })
      for (const { name, target } of nameImages(imported, destination)) {
        const image = { content, namespace: scope.namespace, name }
        await labelStoredImage(image, target)
        const unpacker = this.#imageUnpacker(destination)
        if (unpacker !== undefined) {
          progress.step('unpacking', name)
          const manifest = await findStoredManifest(image, target, platformOf(destination))
          await unpackStoredImage(image, manifest, unpacker, scope, signal)
        }
        await this.#saveImage(scope, name, destination, target)
        progress.step('saved', name)
      }
    })
  }

  async #tag(
    source: ImageStoreMessage,
    destination: ImageStoreMessage,
    context: CallContext,
  ): Promise<void> {
    const { target, labels } = this.#parts.images.get(context.namespace, source.name)
    await this.#putImage(context, {
      name: destination.name,
      labels: { ...labels, ...destination.labels },
      target,
    })
  }

  async #saveImage(
    scope: LeaseScope,
    name: string,
    { labels }: ImageStoreMessage,
    { mediaType, digest, sizeBytes }: ContentDescriptor,
  ): Promise<void> {
    const target = { mediaType, digest, sizeBytes: BigInt(sizeBytes), annotations: {} }
    await this.#putImage(scope, { name, labels, target })
  }

  /** A name that is taken points to the new image from now on. */
  async #putImage(scope: LeaseScope, draft: Parameters<ImageStore['create']>[1]): Promise<void> {
    const { images } = this.#parts
    try {
      await images.create(scope, draft)
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'alreadyExists') throw error
      const mask = ['target', ...Object.keys(draft.labels).map((key) => `labels.${key}`)]
      await images.update(scope, draft, mask)
    }
  }

  #client(registry: OCIRegistry, reference: ImageReference, context: CallContext): RegistryClient {
    const { resolver } = registry
    const authStream = resolver?.authStream ?? ''
    const stream =
      authStream === '' ? undefined : this.#parts.streams.get(context.namespace, authStream)
    return new RegistryClient({
      reference,
      scheme: parseScheme(resolver?.defaultScheme ?? ''),
      headers: resolver?.headers ?? {},
      ...(stream === undefined
        ? {}
        : { credentials: streamCredentials(stream, registry.reference) }),
    })
  }

  #imageUnpacker({ unpacks }: ImageStoreMessage): ImageUnpacker | undefined {
    const [wanted] = unpacks
    if (wanted === undefined) return undefined
    const names = [...this.#unpackers.keys()]
    const unpacker = this.#unpackers.get(
      wanted.snapshotter === '' ? (names[0] ?? '') : wanted.snapshotter,
    )
    if (unpacker !== undefined) return unpacker
    throw new PlatformError('invalidArgument', {
      action: 'find snapshotter',
      found: JSON.stringify(wanted.snapshotter),
      wanted: `one of ${names.join(', ')}`,
    })
  }

  #progress(streamId: string, { namespace }: CallContext): ProgressReporter {
    return new ProgressReporter(
      streamId === '' ? undefined : this.#parts.streams.get(namespace, streamId),
    )
  }
}

function parseScheme(raw: string): 'http' | 'https' | undefined {
  if (raw === '' || raw === 'http' || raw === 'https') return raw === '' ? undefined : raw
  throw new PlatformError('invalidArgument', {
    action: 'read the scheme of the registry',
    found: JSON.stringify(raw),
    wanted: 'http or https',
  })
}

function platformOf({ platforms, unpacks }: ImageStoreMessage): ImagePlatform {
  const wanted: Platform | undefined = platforms[0] ?? unpacks[0]?.platform
  return wanted === undefined || wanted.os === ''
    ? hostPlatform()
    : { os: wanted.os, architecture: wanted.architecture, variant: wanted.variant }
}

/** Names for what an archive held: its own, or made with the prefix the client gives. */
function nameImages(
  imported: readonly ImportedImage[],
  { name: wanted, extraReferences }: ImageStoreMessage,
): { readonly name: string; readonly target: ContentDescriptor }[] {
  const [onlyOne, another] = imported
  if (wanted !== '' && onlyOne !== undefined && another === undefined) {
    return [{ name: wanted, target: onlyOne.target }]
  }
  const prefix = extraReferences.find(({ isPrefix }) => isPrefix)?.name ?? 'import'
  return imported.map(({ name, target }) => {
    const isFull = name?.includes('/') === true
    return { name: isFull ? name : `${prefix}:${name ?? target.digest.slice(7, 19)}`, target }
  })
}
