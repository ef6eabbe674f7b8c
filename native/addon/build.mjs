// @ts-check
/**
 * Makes `dist/berth.node` from the C++ files beside this one. One g++ call per file, as many at a time as
 * there are processors; an object that is newer than its source and all headers is kept.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

const HERE = import.meta.dirname
const ROOT = join(HERE, '../..')
const OBJECTS = join(ROOT, 'build/addon')
const OUTPUT = join(ROOT, 'dist/berth.node')

// N-API comes from npm and not from the Node that builds: the addon runs in Bun as well, and a
// distribution's Node may lack its headers.
const COMPILE = [
  '-std=c++20',
  '-O2',
  '-g0',
  '-Wall',
  '-Wextra',
  '-Wconversion',
  '-Werror',
  '-fno-exceptions',
  '-fno-rtti',
  '-fPIC',
  '-fvisibility=hidden',
  '-ffunction-sections',
  '-fdata-sections',
  '-fstack-protector-strong',
  '-D_FORTIFY_SOURCE=2',
  '-D_GNU_SOURCE',
  '-D_FILE_OFFSET_BITS=64',
  '-DNAPI_VERSION=8',
  '-DNAPI_DISABLE_CPP_EXCEPTIONS',
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
  '-isystem',
  join(ROOT, 'node_modules/node-api-headers/include'),
  '-isystem',
  join(ROOT, 'node_modules/node-addon-api'),
]

// The C++ and seccomp libraries are linked in: the file needs nothing but the C library of the machine.
const LINK = [
  '-shared',
  '-static-libgcc',
  '-static-libstdc++',
  '-Wl,--exclude-libs,ALL',
  '-Wl,--gc-sections',
  '-Wl,-z,relro,-z,now',
  '-s',
]

/** @type {Readonly<Record<string, string>>} */
const MULTIARCH = { x64: 'x86_64-linux-gnu' }

const run = promisify(execFile)

/** @param {readonly string[]} args */
async function compiler(args) {
  try {
    await run('g++', args, { maxBuffer: 1 << 24 })
  } catch (error) {
    const { stderr } = /** @type {{ stderr?: string }} */ (error)
    process.stderr.write(stderr ?? String(error))
    process.exit(1)
  }
}

/** @param {string} path */
const modifiedMs = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)

const triplet = MULTIARCH[process.arch]
if (triplet === undefined) {
  process.stderr.write(`build addon: found processor ${process.arch}, want x64\n`)
  process.exit(1)
}
mkdirSync(OBJECTS, { recursive: true })
mkdirSync(join(ROOT, 'dist'), { recursive: true })
const files = readdirSync(HERE)
const newestHeaderMs = Math.max(
  ...files.filter((name) => /\.(h|mjs)$/.test(name)).map((name) => modifiedMs(join(HERE, name))),
)
const sources = files.filter((name) => name.endsWith('.cc'))
const objectOf = (/** @type {string} */ source) => join(OBJECTS, `${basename(source, '.cc')}.o`)
const stale = sources.filter((source) => {
  const objectMs = modifiedMs(objectOf(source))
  return objectMs <= modifiedMs(join(HERE, source)) || objectMs <= newestHeaderMs
})
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let source = stale.pop(); source !== undefined; source = stale.pop()) {
      const made = `${objectOf(source)}.new`
      await compiler([...COMPILE, '-c', join(HERE, source), '-o', made])
      renameSync(made, objectOf(source))
    }
  }),
)
// Renamed into place: a running program keeps the file it has loaded.
const seccomp = join('/usr/lib', triplet, 'libseccomp.a')
await compiler([...LINK, ...sources.map(objectOf), seccomp, '-o', `${OUTPUT}.new`])
renameSync(`${OUTPUT}.new`, OUTPUT)
