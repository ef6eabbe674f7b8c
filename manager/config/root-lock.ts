import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'

const LOCK_EX = 2
const LOCK_NB = 4

/** `flock(2)`, as the addon offers it. */
export type Flock = (fd: number, operation: number) => void

/** The right to be the one manager of a root directory. The kernel takes it back when the process ends, however it ends. */
export class RootLock implements Disposable {
  readonly #fd: number

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** @throws failedPrecondition naming the pid that holds it */
  static async acquire(rootDir: string, flock: Flock): Promise<RootLock> {
    const path = join(rootDir, 'berthd.lock')
    try {
      await mkdir(rootDir, { recursive: true, mode: 0o711 })
      const fd = openSync(path, 'a+', 0o600)
      try {
        flock(fd, LOCK_EX | LOCK_NB)
        ftruncateSync(fd)
        writeSync(fd, `${String(process.pid)}\n`)
      } catch (error) {
        closeSync(fd)
        throw isTaken(error) ? alreadyHeld(rootDir, path, error) : error
      }
      return new RootLock(fd)
    } catch (error) {
      throw wrapSystemError(error, { action: 'lock the root directory', path })
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }
}

function isTaken(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'EAGAIN' || errno === 'EWOULDBLOCK'
}

function alreadyHeld(rootDir: string, path: string, cause: unknown): PlatformError {
  const pid = readFileSync(path, 'utf8').trim()
  return new PlatformError(
    'failedPrecondition',
    {
      action: 'lock the root directory',
      path: rootDir,
      found: `another berthd on it, pid ${pid}`,
      wanted: 'one manager per root directory',
      hint: 'stop it, or choose another --root, --state and --address',
    },
    { cause },
  )
}
