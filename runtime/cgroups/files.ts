/** Reading and writing the files of cgroups; every failure names the file, the value and what may help. */
import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { codeOfErrno, errnoOf, PlatformError } from '../../proto/errors/platform-error.ts'

/** One value to be written. */
export interface CgroupWrite {
  /** A v1 controller, or empty for v2. */
  readonly controller: string
  /** File name. */
  readonly file: string
  readonly value: string
}

/** Cgroup files must not be created or truncated, and several are write-only, so writeFileSync will not do. */
export function writeCgroupFile(path: string, value: string): void {
  try {
    const fd = openSync(path, constants.O_WRONLY)
    try {
      writeSync(fd, value)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    throw writeError(error, path, value)
  }
}

function writeError(error: unknown, path: string, value: string): PlatformError {
  const errno = errnoOf(error)
  const isMissingFile = errno === 'ENOENT' && existsSync(dirname(path))
  const hint = isMissingFile
    ? 'this kernel does not offer that file: its controller or feature is off'
    : hintOf(basename(path), errno)
  return new PlatformError(
    isMissingFile ? 'failedPrecondition' : codeOfErrno(errno ?? ''),
    { action: 'write cgroup file', path, found: value, errno, hint },
    { cause: error },
  )
}

const HINTS: readonly (readonly [RegExp, string, string])[] = [
  [/^memory\..*(limit|max)/, 'EBUSY', 'the container uses more than that already'],
  [/^memory\.memsw/, 'EINVAL', 'memory.swap counts memory and swap together: not below the limit'],
  [/^cpuset\./, 'EINVAL', 'only what the parent cgroup has, and the host has online'],
  [/^cpuset\./, 'EACCES', 'only what the parent cgroup has'],
  [/^cpu\.(cfs|max)/, 'EINVAL', 'a period is 1000 to 1000000 µs, a quota at least 1000'],
  [/^cpu\.rt/, 'EINVAL', 'the parent cgroup has less realtime left'],
  [/^(blkio|io)\./, 'ENODEV', 'no such block device on this host'],
  [/^devices\./, 'EPERM', 'the parent cgroup does not allow that device'],
  [/^cgroup\.procs$/, 'ESRCH', 'the process has ended'],
  [
    /^cgroup\.procs$/,
    'EBUSY',
    'on cgroup v2 a cgroup with children that have controllers takes no process',
  ],
]

function hintOf(file: string, errno: string | undefined): string | undefined {
  return HINTS.find(([pattern, of]) => of === errno && pattern.test(file))?.[2]
}

/** The trimmed contents. @throws with the path */
export function readCgroupFile(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim()
  } catch (error) {
    const errno = errnoOf(error)
    throw new PlatformError(
      codeOfErrno(errno ?? ''),
      { action: 'read cgroup file', path, errno },
      { cause: error },
    )
  }
}
