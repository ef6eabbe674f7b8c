import type {
  Info,
  Status,
  WriteAction,
  WriteContentResponse,
} from '../../../proto/generated/containerd/services/content/v1/content.ts'
import { parseDigest, type Digest } from '../../content/digest.ts'
import type { BlobInfo, IngestStatus } from '../../content/records.ts'
import { lookupLabel, presentString, type FieldLookup } from '../../filters/adaptor.ts'
import { timestampToProto } from '../../metadata/timestamp.ts'

export function infoToProto(info: BlobInfo): Info {
  return {
    digest: info.digest,
    size: info.sizeBytes,
    createdAt: timestampToProto(info.createdAtNs),
    updatedAt: timestampToProto(info.updatedAtNs),
    labels: { ...info.labels },
  }
}

export function infoField({ digest, sizeBytes, labels }: BlobInfo): FieldLookup {
  return ([field, ...rest]) => {
    switch (field) {
      case 'digest':
        return presentString(digest)
      case 'size':
        return String(sizeBytes)
      case 'labels':
        return lookupLabel(labels, rest)
      default:
        return undefined
    }
  }
}

export function statusToProto(status: IngestStatus): Status {
  return {
    ref: status.ref,
    startedAt: timestampToProto(status.startedAtNs),
    updatedAt: timestampToProto(status.updatedAtNs),
    offset: status.offsetBytes,
    total: status.totalBytes,
    expected: status.expected ?? '',
  }
}

export function statusField({ ref }: IngestStatus): FieldLookup {
  return (path) => (path.length === 1 && path[0] === 'ref' ? presentString(ref) : undefined)
}

export function writeResponse(
  action: WriteAction,
  status: IngestStatus,
  digest: string,
): WriteContentResponse {
  return {
    action,
    startedAt: timestampToProto(status.startedAtNs),
    updatedAt: timestampToProto(status.updatedAtNs),
    offset: status.offsetBytes,
    total: status.totalBytes,
    digest,
  }
}

/** An empty digest means: not given. @throws invalidArgument */
export function optionalDigest(raw: string): Digest | undefined {
  return raw === '' ? undefined : parseDigest(raw)
}
