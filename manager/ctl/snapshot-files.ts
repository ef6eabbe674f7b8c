/**
 * Reads single files out of a snapshot without mounting it anywhere: the mount stays detached, and every
 * path is resolved inside it, so that links of the image lead nowhere else (DESIGN 5).
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import type { Mount } from '../../proto/generated/containerd/types/mount.ts'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { native } from '../../native/binding.ts'

/** RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT of openat2(2). */
const RESOLVE_INSIDE = 0x02 | 0x10
/** MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC of fsmount(2). */
const MOUNT_READ_ONLY = 0x0f
/** A longer file is not what it says it is. */
const MAX_FILE_BYTES = 1024 * 1024

export class SnapshotFiles {
  readonly #rootFd: number

  private constructor(rootFd: number) {
    this.#rootFd = rootFd
  }

  /** @param mounts as the snapshotter gives them */
  static open(mounts: readonly Mount[]): SnapshotFiles {
    const [mount, ...others] = mounts
    if (mount === undefined || others.length > 0) {
      throw new PlatformError('unimplemented', {
        action: 'look into the snapshot',
        found: `${String(mounts.length)} mounts`,
        wanted: 'one',
      })
    }
    try {
      return new SnapshotFiles(openRoot(layersOf(mount)))
    } catch (error) {
      throw wrapSystemError(error, { action: 'look into the snapshot', path: mount.source })
    }
  }

  /** The text of a file, undefined when there is none. @throws invalidArgument when it is not a plain, small file */
  readText(path: string): string | undefined {
    let fd: number
    try {
      // Non-blocking: a FIFO in its place must not hold us.
      const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
      fd = native().openat2(this.#rootFd, path, flags, 0, RESOLVE_INSIDE)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
      throw wrapSystemError(error, { action: 'read from the image', path })
    }
    try {
      return readSmallFile(fd, path)
    } finally {
      closeSync(fd)
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#rootFd)
  }
}

function readSmallFile(fd: number, path: string): string {
  const stat = fstatSync(fd)
  if (!stat.isFile() || stat.size > MAX_FILE_BYTES) {
    throw new PlatformError('invalidArgument', {
      action: 'read from the image',
      path,
      found: stat.isFile() ? `${String(stat.size)} bytes` : 'no regular file',
      wanted: `a regular file of at most ${String(MAX_FILE_BYTES)} bytes`,
    })
  }
  const bytes = Buffer.alloc(stat.size)
  let filled = 0
  while (filled < bytes.byteLength) {
    const count = readSync(fd, bytes, filled, bytes.byteLength - filled, filled)
    if (count === 0) break
    filled += count
  }
  return bytes.toString('utf8', 0, filled)
}

/** The directories that make the snapshot, topmost first. */
function layersOf({ type, source, options }: Mount): readonly string[] {
  if (type !== 'overlay') return [source]
  const valueOf = (name: string): string | undefined =>
    options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1)
  const upper = valueOf('upperdir')
  const lowers = valueOf('lowerdir')?.split(':') ?? []
  return upper === undefined ? lowers : [upper, ...lowers]
}

function openRoot(layers: readonly string[]): number {
  const [only, ...others] = layers
  if (only !== undefined && others.length === 0) {
    return openSync(only, constants.O_RDONLY | constants.O_DIRECTORY)
  }
  // All of them as lower layers: read-only, and without claiming the upper directory.
  const fsFd = native().fsopen('overlay')
  try {
    for (const layer of layers) native().fsconfigString(fsFd, 'lowerdir+', layer)
    native().fsconfigCreate(fsFd)
    return native().fsmount(fsFd, MOUNT_READ_ONLY)
  } finally {
    closeSync(fsFd)
  }
}
