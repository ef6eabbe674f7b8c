import type { Descriptor } from '../../../proto/generated/containerd/types/descriptor.ts'
import type {
  ApplyRequest,
  ApplyResponse,
  DiffDefinition,
} from '../../../proto/generated/containerd/services/diff/v1/diff.ts'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import type { ContentStore } from '../../content/content-store.ts'
import { parseDigest } from '../../content/digest.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import { planApplyTarget } from '../../unpack/apply-target.ts'
import { layerCompression, UNCOMPRESSED_LAYER } from '../../unpack/layer-media-type.ts'
import type { LayerUnpacker } from '../../unpack/layer-unpacker.ts'

/** @see containerd-behaviour.md §f */
export class DiffService implements ServiceHandlers<typeof DiffDefinition, 'diff'> {
  readonly #content: ContentStore
  readonly #unpacker: LayerUnpacker

  constructor(content: ContentStore, unpacker: LayerUnpacker) {
    this.#content = content
    this.#unpacker = unpacker
  }

  async apply(
    { diff, mounts, syncFs }: ApplyRequest,
    { namespace, signal }: CallContext,
  ): Promise<ApplyResponse> {
    const { digest: rawDigest, mediaType } = requireDescriptor(diff)
    const digest = parseDigest(rawDigest)
    const compression = layerCompression(mediaType)
    const target = planApplyTarget(mounts)
    const { sizeBytes } = this.#content.info(namespace, digest)
    const { diffId, tarBytes } = await this.#unpacker.apply(
      { digest, sizeBytes, path: this.#content.blobPath(digest), compression },
      { ...target, sync: syncFs },
      () => Promise.resolve(target.parents),
      signal,
    )
    const applied: Descriptor = {
      mediaType: UNCOMPRESSED_LAYER,
      digest: diffId,
      size: BigInt(tarBytes),
      annotations: {},
    }
    return { applied }
  }
}

function requireDescriptor(diff: Descriptor | undefined): Descriptor {
  if (diff !== undefined) return diff
  throw new PlatformError('invalidArgument', {
    action: 'apply layer',
    found: 'no descriptor',
    wanted: 'the one of the layer',
  })
}
