import {
  chmod,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
  type FileHandle,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { algorithmOf, digestFrom, hexOf, type Digest, type DigestAlgorithm } from './digest.ts'

const ALGORITHMS: readonly DigestAlgorithm[] = ['sha256', 'sha512']
const BLOB_MODE = 0o444

/** The verified blobs on disk: `blobs/<algorithm>/<hex>`, stored once for all namespaces, never changed. */
export class BlobFiles {
  readonly #directory: string

  constructor(contentDir: string) {
    this.#directory = join(contentDir, 'blobs')
  }

  async prepare(): Promise<void> {
    for (const algorithm of ALGORITHMS) {
      await mkdir(join(this.#directory, algorithm), { recursive: true, mode: 0o711 })
    }
  }

  path(digest: Digest): string {
    return join(this.#directory, algorithmOf(digest), hexOf(digest))
  }

  /** Undefined when it is not there. */
  async sizeBytes(digest: Digest): Promise<bigint | undefined> {
    try {
      const { size } = await stat(this.path(digest), { bigint: true })
      return size
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw wrapSystemError(error, { action: 'look for blob', path: this.path(digest) })
    }
  }

  /** The caller closes it. */
  async open(digest: Digest): Promise<FileHandle> {
    try {
      return await open(this.path(digest), 'r')
    } catch (error) {
      throw wrapSystemError(error, { action: 'open blob', path: this.path(digest) })
    }
  }

  /** Makes a complete, verified and flushed file a blob; durable when it returns. */
  async adopt(dataPath: string, digest: Digest): Promise<void> {
    const path = this.path(digest)
    try {
      await chmod(dataPath, BLOB_MODE)
      await rename(dataPath, path)
      await syncDirectory(dirname(path))
    } catch (error) {
      throw wrapSystemError(error, { action: 'store blob', path })
    }
  }

  async remove(digest: Digest): Promise<void> {
    try {
      await unlink(this.path(digest))
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return
      throw wrapSystemError(error, { action: 'remove blob', path: this.path(digest) })
    }
  }

  /** Every blob; a file that is named like none is litter of a crash and is removed. */
  async list(): Promise<readonly Digest[]> {
    const digests: Digest[] = []
    for (const algorithm of ALGORITHMS) {
      const directory = join(this.#directory, algorithm)
      for (const name of await readdir(directory)) {
        const digest = parseBlobName(algorithm, name)
        if (digest === undefined) await rm(join(directory, name), { force: true, recursive: true })
        else digests.push(digest)
      }
    }
    return digests
  }
}

function parseBlobName(algorithm: DigestAlgorithm, name: string): Digest | undefined {
  try {
    return digestFrom(algorithm, name)
  } catch {
    return undefined
  }
}

/** Makes a rename in this directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
