import { chown, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { wrapSystemError } from '../../proto/errors/platform-error.ts'

const REMOVED_PREFIX = 'removed-'

/**
 * The directories of the snapshots, `<root>/snapshots/<id>/{fs,work}`.
 *
 * A directory is made before its record is committed and goes after its record has gone, so that a crash
 * can leave a directory too many, never a record without one; `sweep` takes away what is too many.
 */
export class SnapshotDirectories {
  readonly #base: string
  #lastId = 0n
  /** Directories up to this one were left by an earlier run. */
  #inheritedThrough = 0n
  readonly #removals = new Set<Promise<void>>()

  private constructor(base: string) {
    this.#base = base
  }

  static async open(rootDir: string): Promise<SnapshotDirectories> {
    const base = join(rootDir, 'snapshots')
    try {
      // 0700 at each step: the trees hold other people's setuid programs (security.md S-40).
      await mkdir(base, { recursive: true, mode: 0o700 })
      const directories = new SnapshotDirectories(base)
      for (const name of await readdir(base)) {
        const id = parseId(name)
        if (id !== undefined && id > directories.#lastId) directories.#lastId = id
      }
      directories.#inheritedThrough = directories.#lastId
      return directories
    } catch (error) {
      throw wrapSystemError(error, { action: 'open the snapshot directory', path: base })
    }
  }

  /** What the snapshot itself holds. */
  contents(id: bigint): string {
    return join(this.#base, id.toString(), 'fs')
  }

  /** Scratch space of overlayfs; a view has none. */
  work(id: bigint): string {
    return join(this.#base, id.toString(), 'work')
  }

  /** Numbers up to this one are taken by records, whose directories may be lost. */
  reserveThrough(id: bigint): void {
    if (id > this.#lastId) this.#lastId = id
  }

  /** Makes the directories of a new snapshot, owned like its parent's root. */
  async create(options: {
    readonly isWritable: boolean
    readonly parentId: bigint | undefined
  }): Promise<bigint> {
    this.#lastId += 1n
    const id = this.#lastId
    const path = join(this.#base, id.toString())
    try {
      await mkdir(path, { mode: 0o700 })
      await mkdir(this.contents(id), { mode: 0o755 })
      if (options.isWritable) await mkdir(this.work(id), { mode: 0o711 })
      if (options.parentId !== undefined) {
        const { uid, gid } = await stat(this.contents(options.parentId))
        if (uid !== 0 || gid !== 0) await chown(this.contents(id), uid, gid)
      }
      return id
    } catch (error) {
      await this.remove(id)
      throw wrapSystemError(error, { action: 'make snapshot directory', path })
    }
  }

  /** Takes the directory out of sight at once and deletes it; resolves when it is gone. */
  async remove(id: bigint): Promise<void> {
    const path = join(this.#base, id.toString())
    const doomed = join(this.#base, `${REMOVED_PREFIX}${id.toString()}`)
    const removal = deleteTree(path, doomed)
    this.#removals.add(removal)
    try {
      await removal
    } finally {
      this.#removals.delete(removal)
    }
  }

  /** Deletes what an earlier run left behind, and waits for what this one is deleting. */
  async sweep(isKnown: (id: bigint) => boolean): Promise<void> {
    await Promise.allSettled(this.#removals)
    for (const name of await readdir(this.#base)) {
      const id = parseId(name)
      if (id === undefined) {
        if (name.startsWith(REMOVED_PREFIX)) {
          await rm(join(this.#base, name), { recursive: true, force: true })
        }
      } else if (id <= this.#inheritedThrough && !isKnown(id)) {
        await this.remove(id)
      }
    }
  }
}

function parseId(name: string): bigint | undefined {
  return /^[1-9][0-9]{0,18}$/.test(name) ? BigInt(name) : undefined
}

async function deleteTree(path: string, doomed: string): Promise<void> {
  try {
    await rename(path, doomed)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    throw wrapSystemError(error, { action: 'remove snapshot directory', path })
  }
  try {
    await rm(doomed, { recursive: true, force: true })
  } catch (error) {
    throw wrapSystemError(error, { action: 'remove snapshot directory', path: doomed })
  }
}
