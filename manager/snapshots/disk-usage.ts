import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { SnapshotUsage } from './snapshot-record.ts'

const BLOCK_BYTES = 512n

/** Disk space below a directory, itself included: allocated blocks, a file with several names once. */
export async function diskUsage(directory: string): Promise<SnapshotUsage> {
  const seen = new Set<string>()
  let sizeBytes = 0n
  const pending = [directory]
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const info = await lstatUnlessGone(path)
    if (info === undefined) continue
    const inode = `${info.dev.toString()}:${info.ino.toString()}`
    if (!seen.has(inode)) {
      seen.add(inode)
      sizeBytes += info.blocks * BLOCK_BYTES
    }
    if (!info.isDirectory()) continue
    for (const name of await readdir(path)) pending.push(join(path, name))
  }
  return { sizeBytes, inodes: BigInt(seen.size) }
}

/** A container may remove files while its snapshot is measured. */
async function lstatUnlessGone(path: string) {
  try {
    return await lstat(path, { bigint: true })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
