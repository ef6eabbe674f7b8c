import assert from 'node:assert/strict'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import { describeFailure } from '../failure.ts'

describe('describeFailure', () => {
  const cases = [
    ['notFound', { action: 'find container', subject: '"c"' }, 'find container "c": not found'],
    ['alreadyExists', { action: 'create lease', subject: 'l' }, 'create lease l: already exists'],
    // These say it already.
    ['notFound', { action: 'find image', found: 'no image' }, 'find image: found no image'],
    [
      'notFound',
      { action: 'import', path: '/x', errno: 'ENOENT' },
      'import: /x: no such file or directory (ENOENT)',
    ],
    ['notFound', { action: 'task c: not found' }, 'task c: not found'],
    ['internal', { action: 'mount' }, 'mount'],
  ] as const

  for (const [code, facts, sentence] of cases) {
    it(`${code} as: ${sentence}`, () => {
      assert.equal(describeFailure(new PlatformError(code, facts)), sentence)
    })
  }
})
