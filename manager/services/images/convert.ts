import type { Descriptor } from '../../../proto/generated/containerd/types/descriptor.ts'
import type { Image as ImageMessage } from '../../../proto/generated/containerd/services/images/v1/images.ts'
import { lookupLabel, presentString, type FieldLookup } from '../../filters/adaptor.ts'
import { required } from '../../grpc/required.ts'
import type { Image, ImageDraft, TargetDescriptor } from '../../metadata/image-store.ts'
import { timestampToProto } from '../../metadata/timestamp.ts'

export function imageToProto(image: Image): ImageMessage {
  return {
    name: image.name,
    labels: { ...image.labels },
    target: descriptorToProto(image.target),
    createdAt: timestampToProto(image.createdAtNs),
    updatedAt: timestampToProto(image.updatedAtNs),
  }
}

/** @throws invalidArgument when there is no image or no target */
export function imageFromProto(message: ImageMessage | undefined): ImageDraft {
  const { name, labels, target } = required(message, 'image')
  return { name, labels, target: descriptorFromProto(required(target, 'image.target')) }
}

/** An update whose mask leaves the target alone may come without one. */
export function imageUpdateFromProto(message: ImageMessage | undefined): ImageDraft {
  const { name, labels, target } = required(message, 'image')
  const none: TargetDescriptor = { mediaType: '', digest: '', sizeBytes: 0n, annotations: {} }
  return { name, labels, target: target === undefined ? none : descriptorFromProto(target) }
}

export function imageField({ name, labels, target }: Image): FieldLookup {
  return ([field, ...rest]) => {
    switch (field) {
      case 'name':
        return presentString(name)
      case 'target':
        return targetField(target, rest)
      case 'labels':
        return lookupLabel(labels, rest)
      case 'annotations':
        return lookupLabel(target.annotations, rest)
      default:
        return undefined
    }
  }
}

function targetField(target: TargetDescriptor, path: readonly string[]): string | undefined {
  if (path.length !== 1) return undefined
  if (path[0] === 'digest') return presentString(target.digest)
  return path[0] === 'mediatype' ? presentString(target.mediaType) : undefined
}

function descriptorToProto({
  mediaType,
  digest,
  sizeBytes,
  annotations,
}: TargetDescriptor): Descriptor {
  return { mediaType, digest, size: sizeBytes, annotations: { ...annotations } }
}

function descriptorFromProto({
  mediaType,
  digest,
  size,
  annotations,
}: Descriptor): TargetDescriptor {
  return { mediaType, digest, sizeBytes: size, annotations }
}
