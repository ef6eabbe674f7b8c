// @ts-check
/**
 * The first import of every script: a Node that is too old ends here with a sentence, before it meets
 * something it does not know.
 */
import { readFileSync } from 'node:fs'

const { engines } = /** @type {{ engines: { node: string } }} */ (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
)

/** The oldest Node that will do. */
const wanted = engines.node.replace(/^>=/, '')

/**
 * @param {string} found
 * @param {string} least
 */
export function isAtLeast(found, least) {
  const [has, wants] = [found, least].map((text) => text.split('.').map(Number))
  for (let index = 0; index < 3; index += 1) {
    const difference = (has?.[index] ?? 0) - (wants?.[index] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}

if (!isAtLeast(process.versions.node, wanted)) {
  process.stderr.write(
    `Berth is built with Node ${wanted} or newer: found ${process.versions.node} (nodejs.org and deb.nodesource.com have it)\n`,
  )
  process.exit(1)
}
