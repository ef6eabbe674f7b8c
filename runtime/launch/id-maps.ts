/** Writes the id maps of a new user namespace. @see user_namespaces(7) */
import { writeFileSync } from 'node:fs'
import { wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { IdMapping, LinuxSpec } from '../spec/types.ts'

/** @param pid a process whose first thread is in the namespace and has no ids yet */
export function writeIdMaps(pid: number, linux: LinuxSpec): void {
  writeMap(pid, 'gid_map', linux.gidMappings)
  writeMap(pid, 'uid_map', linux.uidMappings)
}

/** The kernel takes a map once and whole, so it is one write (S-33). */
function writeMap(pid: number, file: 'uid_map' | 'gid_map', mappings: readonly IdMapping[]): void {
  if (mappings.length === 0) return
  const path = `/proc/${String(pid)}/${file}`
  const lines = mappings.map(
    ({ containerId, hostId, size }) => `${String(containerId)} ${String(hostId)} ${String(size)}\n`,
  )
  try {
    writeFileSync(path, lines.join(''))
  } catch (error) {
    throw wrapSystemError(error, {
      action: 'write id map of the user namespace',
      path,
      found: lines.join('').trim().replaceAll('\n', ', '),
    })
  }
}
