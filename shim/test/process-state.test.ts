import assert from 'node:assert/strict'
import { changeState, pidOf, type ProcessChange, type ProcessState } from '../process-state.ts'

const EXIT = { pid: 5, exitStatus: 0, how: 'exited', exitedAtNs: 1n } as const
const STATES: Readonly<Record<ProcessState['status'], ProcessState>> = {
  added: { status: 'added' },
  created: { status: 'created', pid: 5 },
  running: { status: 'running', pid: 5 },
  pausing: { status: 'pausing', pid: 5 },
  paused: { status: 'paused', pid: 5 },
  stopped: { status: 'stopped', exit: EXIT },
}
const CHANGES: Readonly<Record<ProcessChange['kind'], ProcessChange>> = {
  started: { kind: 'started', pid: 5 },
  pausing: { kind: 'pausing' },
  paused: { kind: 'paused' },
  resumed: { kind: 'resumed' },
  exited: { kind: 'exited', exit: EXIT },
}

/** What each change makes of each state; what is not here is refused. */
const ALLOWED: Readonly<
  Record<ProcessChange['kind'], Partial<Record<ProcessState['status'], ProcessState['status']>>>
> = {
  started: { added: 'running', created: 'running' },
  pausing: { running: 'pausing' },
  paused: { pausing: 'paused' },
  resumed: { paused: 'running', pausing: 'running' },
  exited: {
    added: 'stopped',
    created: 'stopped',
    running: 'stopped',
    pausing: 'stopped',
    paused: 'stopped',
  },
}

describe('process state', () => {
  for (const change of Object.values(CHANGES)) {
    for (const state of Object.values(STATES)) {
      const next = ALLOWED[change.kind][state.status]
      if (next === undefined) {
        it(`refuses ${change.kind} when ${state.status}`, () => {
          assert.throws(() => changeState(state, change, 'c1'), {
            code: 'failedPrecondition',
            message: new RegExp(`c1.*found ${state.status}`),
          })
        })
      } else {
        it(`is ${next} after ${change.kind} when ${state.status}`, () => {
          assert.deepEqual(changeState(state, change, 'c1'), STATES[next])
        })
      }
    }
  }

  it('keeps the pid of a process that has ended', () => {
    assert.equal(pidOf(STATES.stopped), 5)
  })

  it('has no pid before it was started', () => {
    assert.equal(pidOf(STATES.added), 0)
  })
})
