import { dirname, join } from 'node:path'

/**
 * The directory that holds the parts a program needs beside it: `berth.node`, `berth-init`,
 * `berth-unpack`, `lmdb.node`.
 *
 * A compiled program finds them beside its own executable, never through the working directory or the
 * environment, which may belong to somebody hostile (DESIGN 2). Uncompiled code (unit tests) runs from
 * `build/js/native` and uses the repository's `dist`.
 */
export function programDirectory(): string {
  const isCompiled = import.meta.dirname.startsWith('/$bunfs/')
  return isCompiled ? dirname(process.execPath) : join(import.meta.dirname, '../../../dist')
}
