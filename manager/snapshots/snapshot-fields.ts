import { lookupLabel, presentString, type FieldLookup } from '../filters/adaptor.ts'
import type { SnapshotInfo, SnapshotKind } from './snapshot-record.ts'

const KIND_TEXT: Readonly<Record<SnapshotKind, string>> = {
  active: 'Active',
  view: 'View',
  committed: 'Committed',
}

/** What filters see of a snapshot. */
export function snapshotFields(info: SnapshotInfo): FieldLookup {
  return ([field, ...rest]) => {
    switch (field) {
      case 'name':
        return presentString(info.name)
      case 'parent':
        return presentString(info.parent)
      case 'kind':
        return KIND_TEXT[info.kind]
      case 'labels':
        return lookupLabel(info.labels, rest)
      default:
        return undefined
    }
  }
}
