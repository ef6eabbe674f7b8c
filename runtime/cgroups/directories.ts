/** Making and removing cgroup directories. */
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { Backoff } from './backoff.ts'
import { readPids } from './processes.ts'

/** How long a cgroup may stay busy after its last process was killed. */
const REMOVAL_DEADLINE_MS = 10_000

/**
 * Makes a directory and what is missing above it.
 *
 * @returns the directories that were made, topmost first; empty when it was there
 */
export function makeCgroupDirectory(path: string): readonly string[] {
  try {
    mkdirSync(path, 0o755)
    return [path]
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EEXIST') return []
    if (errno === 'ENOENT' && dirname(path) !== path) {
      return [...makeCgroupDirectory(dirname(path)), ...makeCgroupDirectory(path)]
    }
    throw wrapSystemError(error, { action: 'create cgroup', path })
  }
}

/** Removes directories with all below them, waiting while the kernel still counts dying processes in them. */
export async function removeCgroupDirectories(paths: readonly string[]): Promise<void> {
  const backoff = new Backoff(REMOVAL_DEADLINE_MS)
  let busy = paths.filter((path) => !removeTree(path))
  while (busy.length > 0) {
    if (!(await backoff.pause())) throw busyError(busy)
    busy = busy.filter((path) => !removeTree(path))
  }
}

/** False while it is busy. */
function removeTree(path: string): boolean {
  const first = removeDirectory(path)
  if (first) return true
  const children = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const areRemoved = children.map(({ name }) => removeTree(join(path, name)))
  return areRemoved.length > 0 && areRemoved.every(Boolean) && removeDirectory(path)
}

function removeDirectory(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return true
    if (errno === 'EBUSY' || errno === 'ENOTEMPTY') return false
    throw wrapSystemError(error, { action: 'remove cgroup', path })
  }
}

function busyError(busy: readonly string[]): PlatformError {
  const [path = ''] = busy
  const pids = readPids(path)
  return new PlatformError('deadlineExceeded', {
    action: 'remove cgroup',
    path,
    errno: 'EBUSY',
    found: pids.length === 0 ? 'no process in it' : `processes ${pids.join(' ')} in it`,
    wanted: `an empty cgroup within ${REMOVAL_DEADLINE_MS / 1000} s`,
  })
}
