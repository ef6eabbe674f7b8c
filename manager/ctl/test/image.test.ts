import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { parseSignal } from '../commands/containers.ts'
import { chainIds, fullName, parseRunConfig } from '../image.ts'

describe('image-spec config.md#layer-chainid', () => {
  it('is the digest of the parent chain and the diff', () => {
    const sum = (text: string): string =>
      `sha256:${createHash('sha256').update(text).digest('hex')}`
    const second = sum('sha256:a sha256:b')
    assert.deepEqual(chainIds(['sha256:a', 'sha256:b', 'sha256:c']), [
      'sha256:a',
      second,
      sum(`${second} sha256:c`),
    ])
    assert.deepEqual(chainIds([]), [])
  })
})

describe('image-spec config.md#properties', () => {
  const parse = (config: unknown): object =>
    parseRunConfig(Buffer.from(JSON.stringify({ config })), 'sha256:x')

  it('takes what says how to run it', () => {
    const config = { Entrypoint: ['a'], Cmd: null, Env: ['A=1'], WorkingDir: '/w', User: 'u' }
    assert.deepEqual(parse(config), {
      entrypoint: ['a'],
      command: [],
      env: ['A=1'],
      workingDirectory: '/w',
      user: 'u',
      stopSignal: '',
    })
  })

  it('says where something else than a list of strings stands', () => {
    assert.throws(() => parse({ Cmd: 'sh -c' }), /sha256:x at \/config\/Cmd: found "sh -c"/)
  })
})

describe('berthctl arguments', () => {
  it('completes references and leaves other names alone', () => {
    assert.equal(fullName('busybox'), 'docker.io/library/busybox:latest')
    assert.equal(fullName('An Image'), 'An Image')
  })

  it('reads signals by name and number', () => {
    assert.deepEqual(['TERM', 'sigkill', '10', '64'].map(parseSignal), [15, 9, 10, 64])
  })

  for (const text of ['', '0', '65', 'NOPE', 'toString', '-9']) {
    it(`refuses the signal ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseSignal(text), { code: 'invalidArgument' })
    })
  }
})
