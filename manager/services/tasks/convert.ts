import type { Process } from '../../../proto/generated/containerd/types/task/task.ts'
import { Status } from '../../../proto/generated/containerd/types/task/task.ts'
import type { ProcessPhase, ProcessState } from '../../shims/process-state.ts'

/** The init goes by the id of its container. */
export function processToProto(containerId: string, process: ProcessState): Process {
  const { stdin, stdout, stderr, terminal } = process.io
  return {
    containerId,
    id: process.execId === '' ? containerId : process.execId,
    pid: process.pid,
    status: statusToProto(process.phase),
    stdin,
    stdout,
    stderr,
    terminal,
    exitStatus: process.exit?.exitStatus ?? 0,
    exitedAt: process.exit?.exitedAt,
  }
}

function statusToProto(phase: ProcessPhase): Status {
  switch (phase.status) {
    case 'adding':
    case 'unknown':
      return Status.UNKNOWN
    case 'created':
      return Status.CREATED
    case 'running':
      return Status.RUNNING
    case 'paused':
      return Status.PAUSED
    case 'stopped':
      return Status.STOPPED
  }
}
