import { renameSync, writeFileSync } from 'node:fs'
import { wrapSystemError } from '../../proto/errors/platform-error.ts'

/** Readers poll for the file, so it appears with its content. */
export function writePidFile(path: string, pid: number): void {
  const temporary = `${path}.${String(pid)}.new`
  try {
    writeFileSync(temporary, String(pid), { mode: 0o644 })
    renameSync(temporary, path)
  } catch (error) {
    throw wrapSystemError(error, { action: 'write pid file', path })
  }
}
