import assert from 'node:assert/strict'
import { Status } from '../../../../proto/generated/containerd/types/task/task.ts'
import { ProcessState } from '../../../shims/process-state.ts'
import { processToProto } from '../convert.ts'

const IO = { stdin: 'in', stdout: 'out', stderr: 'err', terminal: true }

describe('containerd.v1.types.Process', () => {
  it('goes by the container id for the init, by the exec id for an exec', () => {
    const init = processToProto('c1', new ProcessState('', IO))
    assert.deepEqual([init.id, init.containerId], ['c1', 'c1'])
    const exec = processToProto('c1', new ProcessState('e1', IO))
    assert.deepEqual([exec.id, exec.containerId], ['e1', 'c1'])
  })

  it('carries streams, status and exit', () => {
    const process = new ProcessState('', IO)
    assert.equal(processToProto('c1', process).status, Status.UNKNOWN)
    process.created(5)
    assert.equal(processToProto('c1', process).status, Status.CREATED)
    process.started(5)
    assert.equal(processToProto('c1', process).status, Status.RUNNING)
    process.paused()
    assert.equal(processToProto('c1', process).status, Status.PAUSED)
    const exitedAt = { seconds: 1n, nanos: 2 }
    process.exited({ exitStatus: 137, exitedAt, isKnown: true })
    assert.deepEqual(processToProto('c1', process), {
      containerId: 'c1',
      id: 'c1',
      pid: 5,
      status: Status.STOPPED,
      ...IO,
      exitStatus: 137,
      exitedAt,
    })
  })
})
