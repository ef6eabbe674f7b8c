// @ts-check
import assert from 'node:assert/strict'
import { isAtLeast } from '../lib/node-version.mjs'
import { PlainError } from '../lib/run.mjs'
import { refuseUnsuitable } from '../lib/setup.mjs'

describe('a machine that cannot be made ready', () => {
  it('is one that is not Linux', () => {
    assert.throws(() => {
      refuseUnsuitable('build', { platform: 'darwin', uid: 0 })
    }, new PlainError('Berth runs on Linux: found darwin'))
  })

  it('is one where the user is not root, when containers are to be made', () => {
    for (const purpose of /** @type {const} */ (['run', 'test'])) {
      assert.throws(() => {
        refuseUnsuitable(purpose, { platform: 'linux', uid: 1000 })
      }, /^PlainError: containers are made as root: found user 1000, want 0/)
    }
  })

  it('does not need root to build', () => {
    refuseUnsuitable('build', { platform: 'linux', uid: 1000 })
  })
})

describe('the version of Node', () => {
  it('is compared by number, part by part', () => {
    assert.equal(isAtLeast('20.19.0', '20.19'), true)
    assert.equal(isAtLeast('22.3.0', '20.19'), true)
    assert.equal(isAtLeast('20.100.0', '20.19'), true)
    assert.equal(isAtLeast('20.9.0', '20.19'), false)
    assert.equal(isAtLeast('18.20.4', '20.19'), false)
  })
})
