// @ts-check
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BUILD, ROOT } from './paths.mjs'

/**
 * What a part of the build reads: files and directories relative to the repository, with a filter on the
 * files found inside directories. What does not exist counts as absent, which is a fact like any other.
 *
 * @typedef {{ readonly paths: readonly string[], readonly accept?: (path: string) => boolean }} Inputs
 */

/**
 * The digest of the inputs' names and contents. Contents, not times: a fresh clone, a checkout and a
 * `touch` all give the truth.
 *
 * @param {Inputs} inputs
 * @returns {string}
 */
export function digestOf({ paths, accept = () => true }) {
  const hash = createHash('sha256')
  for (const path of paths.flatMap((path) => filesBelow(path)).filter(accept)) {
    const contents = readFileSync(join(ROOT, path))
    hash.update(`${path}\0${String(contents.length)}\0`).update(contents)
  }
  return hash.digest('hex')
}

/**
 * @param {string} path relative to the repository
 * @returns {string[]} the files it names, sorted
 */
function filesBelow(path) {
  const stat = statSync(join(ROOT, path), { throwIfNoEntry: false })
  if (stat === undefined) return []
  if (!stat.isDirectory()) return [path]
  return readdirSync(join(ROOT, path))
    .sort()
    .flatMap((name) => (name === 'node_modules' ? [] : filesBelow(`${path}/${name}`)))
}

/**
 * Whether the outputs are there and were made from inputs with this digest.
 *
 * @param {string} name of the stamp
 * @param {string} digest
 * @param {readonly string[]} outputs absolute paths
 */
export function isFresh(name, digest, outputs) {
  const stamp = stampPath(name)
  return (
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === digest &&
    outputs.every((output) => existsSync(output))
  )
}

/**
 * @param {string} name
 * @param {string} digest
 */
export function markFresh(name, digest) {
  const stamp = stampPath(name)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, digest)
}

/** @param {string} name */
function stampPath(name) {
  return join(BUILD, 'stamps', name)
}
