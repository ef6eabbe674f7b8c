/** Files that are either as they were or as they should be, whatever happens in between. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { wrapSystemError } from '../proto/errors/platform-error.ts'

/**
 * Replaces a file through a temporary one beside it.
 *
 * @param durable also survives a power cut: file and directory are on disk when this returns
 * @throws what the file system says, with the path
 */
export function writeFileAtomically(
  path: string,
  contents: string | Uint8Array,
  { durable = false }: { readonly durable?: boolean } = {},
): void {
  const temporary = `${path}.tmp`
  const bytes = typeof contents === 'string' ? Buffer.from(contents) : contents
  try {
    const fd = openSync(temporary, 'w', 0o600)
    try {
      writeSync(fd, bytes)
      if (durable) fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, path)
    if (durable) syncDirectory(dirname(path))
  } catch (error) {
    rmSync(temporary, { force: true })
    throw wrapSystemError(error, { action: 'write', path })
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
