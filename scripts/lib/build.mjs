// @ts-check
/**
 * Makes what is stale in `dist/` (the compiled programs) and the generated code they need. Every part
 * names what it reads; it is made again when the contents of that have changed.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { digestOf, isFresh, markFresh } from './freshness.mjs'
import { withLock } from './lock.mjs'
import { BUILD, DIST, PROGRAMS, ROOT, tool } from './paths.mjs'
import { PlainError, run } from './run.mjs'

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {readonly string[]} after names of the parts whose outputs it reads
 * @property {import('./freshness.mjs').Inputs} inputs
 * @property {readonly string[]} outputs absolute paths
 * @property {() => Promise<string | void>} make returns what the compiler had to say
 */

/** @param {string} path */
const isProductionSource = (path) => !/(^|\/)test\//.test(path)

/**
 * A C++ part with its own build script.
 *
 * @param {string} name of the folder below native/
 * @param {readonly string[]} outputs file names in dist/
 * @param {readonly string[]} [alsoReads]
 * @returns {Part}
 */
function nativePart(name, outputs, alsoReads = []) {
  return {
    name,
    after: alsoReads.includes('native/operations') ? ['operations'] : [],
    inputs: {
      paths: [`native/${name}`, ...alsoReads, 'package-lock.json'],
      accept: isProductionSource,
    },
    outputs: outputs.map((output) => join(DIST, output)),
    make: () => run(process.execPath, [join(ROOT, 'native', name, 'build.mjs')]),
  }
}

/** @type {readonly Part[]} */
const PARTS = [
  {
    name: 'proto',
    after: [],
    inputs: { paths: ['proto/schema', 'buf.yaml', 'buf.gen.yaml', 'package-lock.json'] },
    outputs: [join(ROOT, 'proto/generated')],
    make: async () => {
      const made = join(BUILD, 'proto')
      await run(tool('buf'), ['generate', '--output', made])
      replaceChanged(join(made, 'proto/generated'), join(ROOT, 'proto/generated'))
    },
  },
  {
    name: 'operations',
    after: [],
    inputs: { paths: ['native/operations'], accept: isProductionSource },
    outputs: [
      join(ROOT, 'native/generated/operations.ts'),
      join(ROOT, 'native/init/generated/operations.h'),
    ],
    make: () => {
      mkdirSync(join(ROOT, 'native/generated'), { recursive: true })
      mkdirSync(join(ROOT, 'native/init/generated'), { recursive: true })
      return run(tool('bun'), ['native/operations/generate.ts'])
    },
  },
  nativePart('addon', ['berth.node']),
  nativePart('init', ['berth-init'], ['native/operations', 'native/static-program.mjs']),
  nativePart('launcher', ['berth-launch'], ['native/static-program.mjs']),
  nativePart('unpack', ['berth-unpack']),
  nativePart('hello', ['hello.tar']),
  {
    name: 'lmdb',
    after: [],
    inputs: { paths: ['package-lock.json'] },
    outputs: [join(DIST, 'lmdb.node')],
    make: async () => {
      const platform = join(ROOT, `node_modules/@lmdb/lmdb-linux-${process.arch}`)
      await Promise.resolve()
      replaceFile(join(platform, 'node.napi.glibc.node'), join(DIST, 'lmdb.node'))
    },
  },
  {
    name: 'programs',
    after: ['proto', 'operations', 'launcher'],
    inputs: {
      paths: [
        ...['proto', 'native', 'runtime', 'shim', 'manager', 'main.ts', 'scripts/bundle.mjs'],
        ...['scripts/native-loader.cjs', 'package-lock.json', 'tsconfig.json'],
      ],
      accept: (path) => isProductionSource(path) && /\.([cm]?[jt]s|json)$/.test(path),
    },
    outputs: ['berth', ...Object.keys(PROGRAMS)].map((name) => join(DIST, name)),
    make: async () => {
      const made = join(BUILD, 'berth')
      const output = await run(tool('bun'), ['scripts/bundle.mjs', made])
      chmodSync(made, 0o755)
      renameSync(made, join(DIST, 'berth'))
      for (const [name, target] of Object.entries(PROGRAMS)) {
        rmSync(join(DIST, name), { force: true })
        symlinkSync(target, join(DIST, name))
      }
      return output
    },
  },
]

/**
 * Copies so that a program which has the old file open keeps it.
 *
 * @param {string} source
 * @param {string} target
 */
function replaceFile(source, target) {
  copyFileSync(source, `${target}.new`)
  renameSync(`${target}.new`, target)
}

/**
 * Makes `target` a copy of the directory `source`, leaving files alone that are the same already: what
 * compiles them incrementally sees no change.
 *
 * @param {string} source
 * @param {string} target
 */
function replaceChanged(source, target) {
  const wanted = new Set(
    readdirSync(source, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(source.length + 1)),
  )
  for (const path of wanted) {
    const contents = readFileSync(join(source, path))
    const file = join(target, path)
    if (existsSync(file) && readFileSync(file).equals(contents)) continue
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, contents)
  }
  for (const entry of readdirSync(target, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (entry.isFile() && !wanted.has(file.slice(target.length + 1))) rmSync(file)
  }
}

/**
 * Makes the part if it is stale.
 *
 * @param {Part} part
 */
async function bringUpToDate(part) {
  const digest = digestOf(part.inputs)
  if (isFresh(part.name, digest, part.outputs)) return
  const startedMs = performance.now()
  const output = await makePart(part)
  for (const path of part.outputs) {
    if (!existsSync(path)) throw new PlainError(`build ${part.name}: it did not make ${path}`)
  }
  markFresh(part.name, digest)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  process.stdout.write(`built ${part.name.padEnd(12)} ${seconds.padStart(6)} s\n`)
  if (output.trim() !== '') process.stdout.write(`${output.trimEnd()}\n`)
}

/**
 * @param {Part} part
 * @returns {Promise<string>}
 */
async function makePart(part) {
  try {
    return (await part.make()) ?? ''
  } catch (error) {
    if (error instanceof PlainError) throw new PlainError(`build ${part.name}: ${error.message}`)
    throw error
  }
}

/**
 * Brings every part up to date, as many at a time as there are processors. A part that fails does not
 * stop the ones that do not need it, so one look shows everything that is wrong.
 *
 * @throws {PlainError} with the compilers' output
 */
export async function build() {
  mkdirSync(DIST, { recursive: true })
  await withLock(join(BUILD, 'lock'), async () => {
    const whenFree = limitTo(availableParallelism())
    /** @type {Map<string, Promise<void>>} */
    const made = new Map()
    for (const part of PARTS) {
      const needed = Promise.all(part.after.flatMap((name) => made.get(name) ?? []))
      made.set(
        part.name,
        needed.then(() => whenFree(() => bringUpToDate(part))),
      )
    }
    const outcomes = await Promise.allSettled(made.values())
    const failures = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [/** @type {unknown} */ (outcome.reason)] : [],
    )
    const sentences = failures.map((failure) => {
      if (!(failure instanceof PlainError)) throw failure
      return failure.message
    })
    // What needed a failed part failed with the same error: say it once.
    if (sentences.length > 0) throw new PlainError([...new Set(sentences)].join('\n\n'))
  })
}

/**
 * @param {number} count
 * @returns {(work: () => Promise<void>) => Promise<void>} starts work as soon as fewer than `count` are going
 */
function limitTo(count) {
  let going = 0
  /** @type {(() => void)[]} */
  const queue = []
  return async (work) => {
    if (going === count) await new Promise((resolve) => queue.push(() => resolve(undefined)))
    else going += 1
    try {
      await work()
    } finally {
      const next = queue.shift()
      if (next === undefined) going -= 1
      else next()
    }
  }
}
