import {
  ImageStore,
  type ImageStore as ImageStoreMessage,
} from '../../../proto/generated/containerd/types/transfer/imagestore.ts'
import {
  ImageImportStream,
  type ImageImportStream as ImageImportStreamMessage,
} from '../../../proto/generated/containerd/types/transfer/importexport.ts'
import {
  OCIRegistry,
  type OCIRegistry as OCIRegistryMessage,
} from '../../../proto/generated/containerd/types/transfer/registry.ts'
import type { Any } from '../../../proto/generated/google/protobuf/any.ts'

/** One end of a transfer. */
export type TransferEnd =
  | { readonly kind: 'registry'; readonly registry: OCIRegistryMessage }
  | { readonly kind: 'imageStore'; readonly store: ImageStoreMessage }
  | { readonly kind: 'importStream'; readonly stream: ImageImportStreamMessage }
  | { readonly kind: 'unknown'; readonly typeUrl: string }

const PREFIX = 'containerd.types.transfer.'

export function transferEndFromProto(message: Any | undefined): TransferEnd {
  const { typeUrl, value } = message ?? { typeUrl: '', value: Buffer.alloc(0) }
  switch (typeUrl) {
    case `${PREFIX}OCIRegistry`:
      return { kind: 'registry', registry: OCIRegistry.decode(value) }
    case `${PREFIX}ImageStore`:
      return { kind: 'imageStore', store: ImageStore.decode(value) }
    case `${PREFIX}ImageImportStream`:
      return { kind: 'importStream', stream: ImageImportStream.decode(value) }
    default:
      return { kind: 'unknown', typeUrl }
  }
}
