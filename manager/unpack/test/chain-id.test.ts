import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { parseDigest } from '../../content/digest.ts'
import { chainIds } from '../chain-id.ts'

const id = (fill: string) => parseDigest(`sha256:${fill.repeat(64)}`)
const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

describe('image-spec config.md#layer-chainid', () => {
  it('is the diffID for a single layer', () => {
    assert.deepEqual(chainIds([id('a')]), [id('a')])
  })

  it('hashes the chain below and the diffID', () => {
    const second = sha256(`${id('a')} ${id('b')}`)
    assert.deepEqual(chainIds([id('a'), id('b'), id('a')]), [
      id('a'),
      second,
      sha256(`${second} ${id('a')}`),
    ])
  })

  it('is nothing for an image without layers', () => {
    assert.deepEqual(chainIds([]), [])
  })
})
