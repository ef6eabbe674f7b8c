import assert from 'node:assert/strict'
import { ERROR_CODES, PlatformError } from '../../errors/platform-error.ts'
import { errorFromStatus, statusFromError } from '../status.ts'

describe('google.rpc.Status mapping', () => {
  for (const code of ERROR_CODES) {
    it(`keeps code and facts of ${code}`, () => {
      const error = new PlatformError(code, {
        action: 'mount',
        subject: 'c1',
        step: 'plan index 3',
        path: '/proc',
        errno: 'EPERM',
        found: 'a',
        wanted: 'b',
        hint: 'c',
      })
      const back = errorFromStatus(statusFromError(error, 'unused'))
      assert.equal(back.code, code)
      assert.deepEqual(back.facts, error.facts)
      assert.equal(back.message, error.message)
    })
  }

  it('reads the message of a peer that sends no facts', () => {
    const error = errorFromStatus({ code: 5, message: 'task c1 not found', details: [] })
    assert.equal(error.code, 'notFound')
    assert.equal(error.message, 'task c1 not found')
  })

  it('falls back to the message when the detail does not decode', () => {
    const details = [{ typeUrl: 'berth.v1.Failure', value: Buffer.from([0xff, 0xff]) }]
    assert.equal(errorFromStatus({ code: 13, message: 'broken', details }).message, 'broken')
  })

  it('calls a code nobody knows unknown, and unauthenticated a denied permission', () => {
    assert.equal(errorFromStatus({ code: 99, message: 'x', details: [] }).code, 'unknown')
    assert.equal(errorFromStatus({ code: 16, message: 'x', details: [] }).code, 'permissionDenied')
  })

  it('says what was being done when the error does not', () => {
    const status = statusFromError(new TypeError('x is not a function'), 'call a/B')
    assert.equal(status.code, 13)
    assert.equal(status.message, 'call a/B: found x is not a function')
  })
})
