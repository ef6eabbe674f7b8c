import assert from 'node:assert/strict'
import { failureOfRun } from '../drivers/runtime-failure.ts'

const exit = { kind: 'exited', exitCode: 1, exitedAtNs: 1n } as const

describe('failure of a runtime program', () => {
  it('takes the last error of its log', () => {
    const log =
      '{"level":"warning","msg":"w"}\n{"level":"error","msg":"first"}\n{"level":"error","msg":"last"}\n'
    const error = failureOfRun({ verb: 'create', exit, output: 'usage', log })
    assert.equal(error.message, 'OCI runtime create failed: last')
    assert.equal(error.code, 'unknown')
  })

  it('reads a log whose end was cut off', () => {
    const log = '{"level":"error","msg":"said"}\n{"level":"err'
    assert.match(failureOfRun({ verb: 'create', exit, output: '', log }).message, /said$/)
  })

  it('takes the last line it printed without a log', () => {
    assert.match(
      failureOfRun({ verb: 'start', exit, output: 'a\nb\n', log: '' }).message,
      /failed: b$/,
    )
  })

  it('says how it ended when it said nothing', () => {
    const killed = { kind: 'signaled', signal: 9, exitedAtNs: 1n } as const
    const { message } = failureOfRun({ verb: 'start', exit: killed, output: '', log: '' })
    assert.match(message, /death by signal 9/)
  })

  for (const [msg, code] of [
    ['container does not exist', 'notFound'],
    ['container "c1" does not exist', 'notFound'],
    ['container not running', 'notFound'],
    ['container with id c1 already exists', 'alreadyExists'],
    ['exec: "x": executable file not found in $PATH', 'unknown'],
  ] as const) {
    it(`is ${code} for ${msg}`, () => {
      const log = JSON.stringify({ level: 'error', msg })
      assert.equal(failureOfRun({ verb: 'kill', exit, output: '', log }).code, code)
    })
  }
})
