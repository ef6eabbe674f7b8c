import assert from 'node:assert/strict'
import { parseStreamTarget } from '../stdio/stream-target.ts'

describe('stdio of the task service', () => {
  for (const [uri, target] of [
    ['', { kind: 'none' }],
    ['/run/f', { kind: 'path', path: '/run/f' }],
    ['fifo:///run/f', { kind: 'path', path: '/run/f' }],
    ['file:///var/log/c%201.log', { kind: 'file', path: '/var/log/c 1.log' }],
    ['file:///var/log/c.log?maxsize=1', { kind: 'file', path: '/var/log/c.log' }],
  ] as const) {
    it(`reads ${JSON.stringify(uri)}`, () => {
      assert.deepEqual(parseStreamTarget(uri), target)
    })
  }

  for (const uri of ['relative', 'file://relative', 'fifo://']) {
    it(`refuses ${uri}: not absolute`, () => {
      assert.throws(() => parseStreamTarget(uri), { code: 'invalidArgument' })
    })
  }

  it('says that it does not know a scheme', () => {
    assert.throws(() => parseStreamTarget('gopher:///x'), {
      code: 'unimplemented',
      message: /gopher/,
    })
  })
})
