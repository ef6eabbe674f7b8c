/**
 * A container's directory, `<root>/<id>/`:
 *
 * - `state.json`: the record; replaced whole, so a reader sees the old or the new one
 * - `config.json`: the document the container was made from, whatever becomes of the bundle
 * - `start.sock`: there while the container is created and not started (`launch/start-socket.ts`)
 *
 * The directory itself is the lock of the container's life cycle.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { sleep } from '../sleep.ts'
import { native } from '../../native/binding.ts'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { parseContainerId } from './container-id.ts'
import { type ContainerRecord, encodeRecord, parseRecord } from './record.ts'

const STATE_FILE = 'state.json'
const CONFIG_FILE = 'config.json'
const START_SOCKET = 'start.sock'

/** LOCK_* of flock(2). */
const LOCK_EX = 2
const LOCK_NB = 4

/** Longer than any operation may take; another runtime that hangs is reported rather than waited for. */
const LOCK_DEADLINE_MS = 60_000
const LOCK_RETRY_MS = 2

/** Which container: the state root and the id. */
export interface ContainerPlace {
  readonly root: string
  readonly id: string
}

export class ContainerDirectory {
  readonly id: string
  /** Absolute. */
  readonly path: string

  private constructor(id: string, path: string) {
    this.id = id
    this.path = path
  }

  /**
   * Takes the id. From now on nobody else can.
   *
   * @throws alreadyExists, invalidArgument
   */
  static create({ root, id }: ContainerPlace): ContainerDirectory {
    const path = join(root, parseContainerId(id))
    try {
      makeDirectory(path, root)
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') {
        throw wrapSystemError(error, { action: 'create state directory', path })
      }
      throw new PlatformError(
        'alreadyExists',
        {
          action: 'create container',
          subject: id,
          path,
          found: 'a container with this id',
          wanted: 'an id that is not in use',
        },
        { cause: error },
      )
    }
    return new ContainerDirectory(id, path)
  }

  /** @throws notFound, invalidArgument */
  static open({ root, id }: ContainerPlace): ContainerDirectory {
    const directory = new ContainerDirectory(id, join(root, parseContainerId(id)))
    if (!existsSync(directory.path)) throw directory.#notFound()
    return directory
  }

  /** Ids of the containers below a state root, sorted; none when the root does not exist. */
  static list(root: string): readonly string[] {
    try {
      return readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && existsSync(join(root, entry.name, STATE_FILE)))
        .map(({ name }) => name)
        .sort()
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return []
      throw wrapSystemError(error, { action: 'list containers', path: root })
    }
  }

  /**
   * Waits until nobody else changes this container. Dispose of the result to let others go on.
   *
   * @throws notFound when the container was deleted meanwhile, unavailable when it is not let go
   */
  async lock(): Promise<Disposable> {
    const fd = this.#openSelf()
    try {
      await waitForLock(fd, this.path)
      if (!existsSync(this.path)) throw this.#notFound()
    } catch (error) {
      closeSync(fd)
      throw error
    }
    return {
      [Symbol.dispose]: () => {
        closeSync(fd)
      },
    }
  }

  /** @throws notFound, also for a container whose creation never got as far as a record */
  readRecord(): ContainerRecord {
    return parseRecord(this.#read(STATE_FILE))
  }

  writeRecord(record: ContainerRecord): void {
    const path = join(this.path, STATE_FILE)
    const temporary = `${path}.new`
    try {
      writeFileSync(temporary, encodeRecord(record), { mode: 0o600 })
      renameSync(temporary, path)
    } catch (error) {
      throw wrapSystemError(error, { action: 'write state of container', subject: this.id, path })
    }
  }

  /** The text of the config.json the container was made from. */
  readConfig(): string {
    return this.#read(CONFIG_FILE)
  }

  writeConfig(text: string): void {
    const path = join(this.path, CONFIG_FILE)
    try {
      writeFileSync(path, text, { mode: 0o600 })
    } catch (error) {
      throw wrapSystemError(error, {
        action: 'keep config.json of container',
        subject: this.id,
        path,
      })
    }
  }

  /** Init waits to be started while the socket for it is there. */
  get isStartable(): boolean {
    return existsSync(join(this.path, START_SOCKET))
  }

  /** The end: the id is free again. */
  remove(): void {
    try {
      rmSync(this.path, { recursive: true, force: true })
    } catch (error) {
      throw wrapSystemError(error, { action: 'remove state directory', path: this.path })
    }
  }

  #read(file: string): string {
    const path = join(this.path, file)
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw this.#notFound(error)
      throw wrapSystemError(error, { action: 'read state of container', subject: this.id, path })
    }
  }

  #openSelf(): number {
    try {
      return openSync(this.path, 'r')
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw this.#notFound(error)
      throw wrapSystemError(error, { action: 'lock container', subject: this.id, path: this.path })
    }
  }

  /** dockerd and containerd look for the words "does not exist". */
  #notFound(cause?: unknown): PlatformError {
    const action = `find container ${this.id}: container does not exist`
    return new PlatformError('notFound', { action, path: this.path }, { cause })
  }
}

/** The root is made on the way. Others may pass through it, not read it. */
function makeDirectory(path: string, root: string): void {
  try {
    mkdirSync(path, 0o700)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    mkdirSync(root, { recursive: true, mode: 0o711 })
    mkdirSync(path, 0o700)
  }
}

/**
 * Never blocks the thread: in the shim, who holds the lock may be waiting in this same event loop.
 */
async function waitForLock(fd: number, path: string): Promise<void> {
  const deadline = performance.now() + LOCK_DEADLINE_MS
  for (;;) {
    try {
      native().flock(fd, LOCK_EX | LOCK_NB)
      return
    } catch (error) {
      const errno = errnoOf(error)
      if (errno !== 'EAGAIN' && errno !== 'EINTR') {
        throw wrapSystemError(error, { action: 'lock container', path })
      }
      if (performance.now() > deadline) {
        throw new PlatformError(
          'unavailable',
          {
            action: 'lock container',
            path,
            found: 'another operation on this container',
            wanted: `its end within ${LOCK_DEADLINE_MS / 1000} s`,
          },
          { cause: error },
        )
      }
      await sleep(LOCK_RETRY_MS)
    }
  }
}
