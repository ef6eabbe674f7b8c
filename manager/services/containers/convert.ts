import type { Container as ContainerMessage } from '../../../proto/generated/containerd/services/containers/v1/containers.ts'
import { lookupLabel, presentString, type FieldLookup } from '../../filters/adaptor.ts'
import { required } from '../../grpc/required.ts'
import type { Container, ContainerDraft } from '../../metadata/container-store.ts'
import { timestampToProto } from '../../metadata/timestamp.ts'

export function containerToProto(container: Container): ContainerMessage {
  const { createdAtNs, updatedAtNs, labels, runtime, extensions, ...fields } = container
  return {
    ...fields,
    labels: { ...labels },
    runtime: { ...runtime },
    extensions: { ...extensions },
    createdAt: timestampToProto(createdAtNs),
    updatedAt: timestampToProto(updatedAtNs),
  }
}

/** @throws invalidArgument when there is no container */
export function containerFromProto(message: ContainerMessage | undefined): ContainerDraft {
  const { runtime, ...fields } = required(message, 'container')
  return {
    id: fields.id,
    labels: fields.labels,
    image: fields.image,
    runtime: runtime ?? { name: '', options: undefined },
    spec: fields.spec,
    snapshotter: fields.snapshotter,
    snapshotKey: fields.snapshotKey,
    extensions: fields.extensions,
    sandbox: fields.sandbox,
  }
}

export function containerField({ id, image, runtime, labels }: Container): FieldLookup {
  return ([field, ...rest]) => {
    switch (field) {
      case 'id':
        return presentString(id)
      case 'image':
        return presentString(image)
      case 'runtime':
        return rest.length === 1 && rest[0] === 'name' ? presentString(runtime.name) : undefined
      case 'labels':
        return lookupLabel(labels, rest)
      default:
        return undefined
    }
  }
}
