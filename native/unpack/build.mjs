/**
 * Builds `dist/berth-unpack`, static. Usage: `node native/unpack/build.mjs [output]`.
 * Debian packages: g++ libarchive-dev libssl-dev zlib1g-dev libzstd-dev libacl1-dev.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const FLAGS = [
  '-std=c++20',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Wconversion',
  '-Werror',
  '-fno-exceptions',
  '-fno-rtti',
  '-D_FORTIFY_SOURCE=2',
  '-fstack-protector-strong',
  '-static',
  '-s',
  '-Wl,--gc-sections',
  '-ffunction-sections',
]
// Static members of libarchive.a that are not about tar still name these; the linker takes what is used.
const LIBRARIES = ['-larchive', '-lz', '-lzstd', '-lcrypto', '-lacl']

const sourceDirectory = dirname(fileURLToPath(import.meta.url))
const output = resolve(process.argv[2] ?? join(sourceDirectory, '../../dist/berth-unpack'))

const files = readdirSync(sourceDirectory).map((name) => join(sourceDirectory, name))
mkdirSync(dirname(output), { recursive: true })
const partial = `${output}.partial`
const sources = files.filter((file) => file.endsWith('.cc'))
execFileSync(process.env['CXX'] ?? 'g++', [...FLAGS, ...sources, ...LIBRARIES, '-o', partial], {
  stdio: 'inherit',
})
const linked = spawnSync('ldd', [partial], { encoding: 'utf8' })
if (linked.status === 0 && /=>|\.so/.test(linked.stdout)) {
  throw new Error(
    `build berth-unpack: found shared libraries, want a static program:\n${linked.stdout}`,
  )
}
renameSync(partial, output)
