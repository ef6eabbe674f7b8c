// @ts-check
/** How our small static C++ programs are built. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const DIST = join(import.meta.dirname, '../dist')

/**
 * Compiles every .cc file of a folder into one static program in `dist/`. It is refused when any library
 * would be loaded at run time. Ends this process on failure; the compiler has said why.
 *
 * @param {string} folder absolute
 * @param {string} name of the program
 */
export function buildStaticProgram(folder, name) {
  const target = join(DIST, name)
  const sources = readdirSync(folder)
    .filter((file) => file.endsWith('.cc'))
    .map((file) => join(folder, file))
  mkdirSync(DIST, { recursive: true })
  const compiled = spawnSync(
    'g++',
    [
      '-std=c++20',
      '-Os',
      ...['-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Werror'],
      ...['-fno-exceptions', '-fno-rtti', '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2'],
      ...['-ffunction-sections', '-fdata-sections', '-Wl,--gc-sections', '-static', '-s'],
      ...sources,
      '-o',
      target,
    ],
    { stdio: 'inherit' },
  )
  if (compiled.status !== 0) process.exit(compiled.status ?? 1)
  // `ldd` fails on a static program; success means that it needs a loader.
  if (spawnSync('ldd', [target], { stdio: 'ignore' }).status === 0) {
    process.stderr.write(`${name} must be static, but ldd finds libraries in it\n`)
    process.exit(1)
  }
}
