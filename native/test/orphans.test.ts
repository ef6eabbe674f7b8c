import assert from 'node:assert/strict'
import { runProgram } from './run-program.ts'

describe('reapOrphans', () => {
  let found: Readonly<Record<string, unknown>> = {}
  before(async () => {
    found = JSON.parse(await runProgram('reap-orphans')) as typeof found
  })

  it('reaps orphans', () => {
    assert.equal(found['childrenLeft'], '')
  })

  it('leaves the status of a spawned process that nobody watches yet', () => {
    assert.equal(found['unwatchedIsReaped'], false)
    assert.equal(found['unwatchedCode'], 21)
  })

  it('leaves a watched orphan to its watcher', () => {
    assert.equal(found['adoptedCode'], 31)
  })

  it('leaves held orphans until the last release', () => {
    assert.deepEqual(found['heldAreReaped'], [false, false])
    assert.equal(found['heldCode'], 41)
  })
})
