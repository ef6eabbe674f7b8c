import { createHash } from 'node:crypto'
import { digestFrom, type Digest } from '../content/digest.ts'

/**
 * The names under which the layers of an image are committed: the first is its diffID, each further one the
 * digest of `<chain id of the layer below> <diffID>`.
 *
 * @see image-spec v1.1 config.md#layer-chainid
 */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = []
  for (const diffId of diffIds) {
    const below = chain.at(-1)
    chain.push(below === undefined ? diffId : sha256(`${below} ${diffId}`))
  }
  return chain
}

function sha256(text: string): Digest {
  return digestFrom('sha256', createHash('sha256').update(text).digest('hex'))
}
