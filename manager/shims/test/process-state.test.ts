import assert from 'node:assert/strict'
import { ProcessState } from '../process-state.ts'

const IO = { stdin: '', stdout: '', stderr: '', terminal: false }
const EXIT = { exitStatus: 7, exitedAt: { seconds: 1n, nanos: 2 }, isKnown: true }
const UNKNOWN = { ...EXIT, exitStatus: 255, isKnown: false }

describe('ProcessState', () => {
  it('goes from created over running and paused to stopped', () => {
    const process = new ProcessState('', IO)
    process.created(42)
    assert.deepEqual(process.phase, { status: 'created', pid: 42 })
    process.started(42)
    process.paused()
    assert.deepEqual(process.phase, { status: 'paused', pid: 42 })
    process.resumed()
    assert.deepEqual(process.phase, { status: 'running', pid: 42 })
    process.exited(EXIT)
    assert.deepEqual(process.phase, { status: 'stopped', pid: 42, exit: EXIT })
  })

  it('stays stopped when the answer to Start comes after the exit', () => {
    const process = new ProcessState('e1', IO)
    process.created(0)
    process.exited(EXIT)
    process.started(43)
    assert.deepEqual(process.phase, { status: 'stopped', pid: 43, exit: EXIT })
  })

  it('keeps the first exit that somebody saw', () => {
    const process = new ProcessState('', IO)
    assert.equal(process.exited(UNKNOWN), true)
    assert.equal(process.exited(EXIT), true)
    assert.equal(process.exited({ ...EXIT, exitStatus: 8 }), false)
    assert.equal(process.exited(UNKNOWN), false)
    assert.equal(process.exit, EXIT)
  })

  it('tells everybody who waits, before and after', async () => {
    const process = new ProcessState('', IO)
    const waiting = [process.wait(), process.wait(new AbortController().signal)]
    process.exited(EXIT)
    assert.deepEqual(await Promise.all(waiting), [EXIT, EXIT])
    assert.equal(await process.wait(), EXIT)
  })

  it('lets a waiter go whose signal fires', async () => {
    const process = new ProcessState('', IO)
    const controller = new AbortController()
    const waiting = process.wait(controller.signal)
    controller.abort()
    await assert.rejects(waiting, { code: 'canceled' })
    await assert.rejects(process.wait(controller.signal), { code: 'canceled' })
  })
})
