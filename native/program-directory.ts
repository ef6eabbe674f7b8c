import { dirname, join } from 'node:path'

/**
 * The directory that holds the parts a program needs beside it: `berth.node`, `berth-init`,
 * `berth-unpack`, `lmdb.node`.
 *
 * A compiled program finds them beside its own executable, never through the working directory or the
 * environment, which may belong to somebody hostile (DESIGN 2). Code that is not compiled into the program
 * (unit tests in `build/js`, scripts run from source) uses the repository's `dist`.
 */
export function programDirectory(): string {
  const here = import.meta.dirname
  if (here.startsWith('/$bunfs/')) return dirname(process.execPath)
  return join(here, here.endsWith('/build/js/native') ? '../../../dist' : '../dist')
}
