// @ts-check
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The repository's root. */
export const ROOT = join(import.meta.dirname, '../..')

/** The compiled programs and what lies beside them. */
export const DIST = join(ROOT, 'dist')

/** Everything else that is made: compiled tests, stamps, logs. */
export const BUILD = join(ROOT, 'build')

/**
 * The names `dist/berth` is called by, and what each is a link to: programs of a short life go through the
 * launcher (docs/decisions/0004).
 *
 * @type {Readonly<Record<string, 'berth' | 'berth-launch'>>}
 */
export const PROGRAMS = {
  'berth-runtime': 'berth-launch',
  'containerd-shim-berth-v2': 'berth-launch',
  berthd: 'berth',
  berthctl: 'berth',
}

/**
 * A program out of an npm package, whether or not the package's install script was run (it moves the
 * program from the platform's package into its own).
 *
 * @param {'bun' | 'buf'} name
 * @returns {string}
 */
export function tool(name) {
  const arch = process.arch === 'arm64' ? 'aarch64' : process.arch
  const inPlatformPackage =
    name === 'bun'
      ? join(ROOT, `node_modules/@oven/bun-linux-${arch}/bin/bun`)
      : join(ROOT, `node_modules/@bufbuild/buf-linux-${arch}/bin/buf`)
  return existsSync(inPlatformPackage) ? inPlatformPackage : join(ROOT, 'node_modules/.bin', name)
}
