import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, wrapSystemError } from '../../../proto/errors/platform-error.ts'
import { syncDirectory } from '../../content/blob-files.ts'

/** Who answers: the same as long as the root directory is the same. */
export interface ServerIdentity {
  readonly uuid: string
  readonly pid: number
  /** Inode of the pid namespace. */
  readonly pidNamespace: bigint
}

/** Reads the uuid of this root directory, or gives it one. */
export async function openServerIdentity(rootDir: string): Promise<ServerIdentity> {
  const path = join(rootDir, 'uuid')
  try {
    const { ino } = await stat('/proc/self/ns/pid', { bigint: true })
    const uuid = (await readUuid(path)) ?? (await writeUuid(rootDir, path))
    return { uuid, pid: process.pid, pidNamespace: ino }
  } catch (error) {
    throw wrapSystemError(error, { action: 'read the identity of this manager', path })
  }
}

async function readUuid(path: string): Promise<string | undefined> {
  try {
    const uuid = (await readFile(path, 'utf8')).trim()
    return /^[0-9a-f-]{36}$/.test(uuid) ? uuid : undefined
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function writeUuid(rootDir: string, path: string): Promise<string> {
  const uuid = randomUUID()
  await mkdir(rootDir, { recursive: true, mode: 0o711 })
  const file = await open(`${path}.new`, 'w', 0o644)
  try {
    await file.writeFile(uuid)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  await syncDirectory(rootDir)
  return uuid
}
