import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Mount } from '../../proto/generated/containerd/types/mount.ts'

/** Where a layer is written, and how what it removes is expressed there. */
export interface ApplyTarget {
  readonly directory: string
  /** `overlay`: marks for overlayfs in an upper directory. `remove`: the entries themselves are removed. */
  readonly whiteouts: 'overlay' | 'remove'
  /** Directories of the layers below, nearest first. */
  readonly parents: readonly string[]
}

/**
 * Finds the directory behind the mounts of an active snapshot, so that a layer is written without mounting
 * anything.
 *
 * @throws failedPrecondition when they are read-only
 * @throws unimplemented for mounts that no snapshotter of ours makes
 */
export function planApplyTarget(mounts: readonly Mount[]): ApplyTarget {
  const [mount] = mounts
  if (mount === undefined || mounts.length > 1 || mount.target !== '') throw unsupported(mounts)
  switch (mount.type) {
    case 'bind':
      if (mount.options.includes('ro')) throw readOnly()
      return { directory: mount.source, whiteouts: 'remove', parents: [] }
    case 'overlay': {
      const directory = optionValue(mount, 'upperdir')
      if (directory === undefined) throw readOnly()
      const parents = optionValue(mount, 'lowerdir')?.split(':') ?? []
      return { directory, whiteouts: 'overlay', parents }
    }
    default:
      throw unsupported(mounts)
  }
}

function optionValue({ options }: Mount, name: string): string | undefined {
  const prefix = `${name}=`
  return options.find((option) => option.startsWith(prefix))?.slice(prefix.length)
}

function readOnly(): PlatformError {
  return new PlatformError('failedPrecondition', {
    action: 'apply layer',
    found: 'mounts that cannot be written to',
    wanted: 'those of an active snapshot',
  })
}

function unsupported(mounts: readonly Mount[]): PlatformError {
  const types = mounts.map(({ type }) => JSON.stringify(type)).join(', ')
  return new PlatformError('unimplemented', {
    action: 'apply layer',
    found: mounts.length === 0 ? 'no mounts' : `mounts of type ${types}`,
    wanted: 'one mount of type overlay or bind',
  })
}
