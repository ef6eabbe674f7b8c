import type { Mount } from '../../proto/generated/containerd/types/mount.ts'
import type { SnapshotKind } from './snapshot-record.ts'

export interface MountListInput {
  readonly kind: SnapshotKind
  /** The `fs` directory of the snapshot itself. */
  readonly upperDir: string
  readonly workDir: string
  /** The `fs` directories of its ancestors, nearest first. */
  readonly lowerDirs: readonly string[]
  /** The kernel has the option and would otherwise refuse lower layers that are shared. */
  readonly hasIndexOption: boolean
}

/**
 * The mounts that show a snapshot; nothing is mounted here.
 *
 * @see containerd-behaviour.md §e
 */
export function planMountList(input: MountListInput): Mount[] {
  const { kind, upperDir, workDir, lowerDirs, hasIndexOption } = input
  const isReadOnly = kind === 'view'
  const [nearest] = lowerDirs
  if (nearest === undefined) return [bindMount(upperDir, isReadOnly)]
  if (isReadOnly && lowerDirs.length === 1) return [bindMount(nearest, true)]
  const options = [
    ...(isReadOnly ? [] : [`workdir=${workDir}`, `upperdir=${upperDir}`]),
    `lowerdir=${lowerDirs.join(':')}`,
    ...(hasIndexOption ? ['index=off'] : []),
  ]
  return [{ type: 'overlay', source: 'overlay', target: '', options }]
}

function bindMount(source: string, isReadOnly: boolean): Mount {
  return { type: 'bind', source, target: '', options: [isReadOnly ? 'ro' : 'rw', 'rbind'] }
}
