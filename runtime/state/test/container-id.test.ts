import assert from 'node:assert/strict'
import { parseContainerId } from '../container-id.ts'

describe('parseContainerId', () => {
  for (const id of ['a', 'c1', '0_+.-', '-x', 'a'.repeat(255), 'A.b']) {
    it(`takes ${id.slice(0, 20)}`, () => {
      assert.equal(parseContainerId(id), id)
    })
  }

  for (const id of [
    '',
    '.',
    '..',
    '.x',
    'a/b',
    '/a',
    'a\n',
    'a\0b',
    'a b',
    'ä',
    '․․',
    '%2e',
    'a'.repeat(256),
  ]) {
    it(`refuses ${JSON.stringify(id.slice(0, 20))} (S-23)`, () => {
      assert.throws(() => parseContainerId(id), { code: 'invalidArgument' })
    })
  }
})
