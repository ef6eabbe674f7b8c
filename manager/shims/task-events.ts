/** Events the manager publishes itself, for containers whose shim cannot any more. */
import type { EventSink } from './ports.ts'
import type { ExitStatus, ProcessState } from './process-state.ts'
import type { Task } from './task-table.ts'

/** At most once per process: nothing when the shim's own event has been seen. */
export function publishExit(
  events: EventSink,
  task: Task,
  process: ProcessState,
  exit: ExitStatus,
): void {
  if (task.publishedExits.has(process.execId)) return
  task.publishedExits.add(process.execId)
  events.publish(task.namespace, '/tasks/exit', 'containerd.events.TaskExit', {
    containerId: task.id,
    id: process.execId === '' ? task.id : process.execId,
    pid: process.pid,
    exitStatus: exit.exitStatus,
    exitedAt: exit.exitedAt,
  })
}

export function publishDelete(events: EventSink, task: Task, exit: ExitStatus): void {
  events.publish(task.namespace, '/tasks/delete', 'containerd.events.TaskDelete', {
    containerId: task.id,
    pid: task.init.pid,
    exitStatus: exit.exitStatus,
    exitedAt: exit.exitedAt,
    id: '',
  })
}
