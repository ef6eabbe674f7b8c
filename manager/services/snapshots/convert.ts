import {
  Kind,
  type Info,
} from '../../../proto/generated/containerd/services/snapshots/v1/snapshots.ts'
import { timestampToProto } from '../../metadata/timestamp.ts'
import type { SnapshotInfo, SnapshotKind } from '../../snapshots/snapshot-record.ts'

const KIND_TO_PROTO = {
  view: Kind.VIEW,
  active: Kind.ACTIVE,
  committed: Kind.COMMITTED,
} as const satisfies Record<SnapshotKind, Kind>

export function snapshotInfoToProto(info: SnapshotInfo): Info {
  return {
    name: info.name,
    parent: info.parent,
    kind: KIND_TO_PROTO[info.kind],
    createdAt: timestampToProto(info.createdAtNs),
    updatedAt: timestampToProto(info.updatedAtNs),
    labels: { ...info.labels },
  }
}
