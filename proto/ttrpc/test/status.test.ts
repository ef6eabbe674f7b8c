import assert from 'node:assert/strict'
import { ERROR_CODES, PlatformError } from '../../errors/platform-error.ts'
import { Response } from '../../generated/ttrpc/message.ts'
import { errorFromResponse, responseFromError } from '../status.ts'

/** What a peer gets of an error. */
function overTheWire(error: unknown): Response {
  return Response.decode(Response.encode(responseFromError(error, 'call a/B')).finish())
}

function plainStatus(code: number, message: string): PlatformError {
  return errorFromResponse({ code, message, details: [] }, undefined)
}

describe('ttrpc response status', () => {
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
      const { status, failure } = overTheWire(error)
      assert.ok(status)
      const back = errorFromResponse(status, failure)
      assert.equal(back.code, code)
      assert.deepEqual(back.facts, error.facts)
      assert.equal(back.message, error.message)
    })
  }

  it('sends Go peers code and message, and no details they would print', () => {
    const { status } = overTheWire(new PlatformError('notFound', 'find task c1'))
    assert.deepEqual(status, { code: 5, message: 'find task c1', details: [] })
  })

  it('reads the message of a peer that sends no facts', () => {
    const error = plainStatus(5, 'task c1 not found')
    assert.equal(error.code, 'notFound')
    assert.equal(error.message, 'task c1 not found')
  })

  it('calls a code nobody knows unknown, and unauthenticated a denied permission', () => {
    assert.equal(plainStatus(99, 'x').code, 'unknown')
    assert.equal(plainStatus(16, 'x').code, 'permissionDenied')
  })

  it('says what was being done when the error does not', () => {
    const { status } = overTheWire(new TypeError('x is not a function'))
    assert.equal(status?.code, 13)
    assert.equal(status.message, 'call a/B: found x is not a function')
  })
})
