// @ts-check
/** Builds `dist/berth-init`: static, and refused when any library would be loaded at run time. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const dist = join(here, '../../dist')
const target = join(dist, 'berth-init')

const sources = readdirSync(here)
  .filter((name) => name.endsWith('.cc'))
  .map((name) => join(here, name))

mkdirSync(dist, { recursive: true })
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
  process.stderr.write('berth-init must be static, but ldd finds libraries in it\n')
  process.exit(1)
}
