import assert from 'node:assert/strict'
import { OpenCalls } from '../open-calls.ts'

describe('OpenCalls', () => {
  it('ends calls that listen, with a reason', async () => {
    const calls = new OpenCalls()
    const controller = new AbortController()
    const answered = new Promise<void>((resolve) => {
      controller.signal.addEventListener('abort', () => {
        resolve()
      })
    })
    calls.add(controller, answered)
    calls.endAll()
    await calls.answered()
    assert.equal((controller.signal.reason as { code: string }).code, 'unavailable')
  })

  it('leaves calls alone that have been answered', async () => {
    const calls = new OpenCalls()
    const controller = new AbortController()
    calls.add(controller, Promise.resolve())
    await calls.answered()
    calls.endAll()
    assert.equal(controller.signal.aborted, false)
  })
})
