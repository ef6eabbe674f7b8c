/** All tasks there are, and how forwarded events change them. */
import {
  TaskExecAdded,
  TaskExecStarted,
  TaskExit,
  TaskOOM,
  TaskPaused,
  TaskResumed,
  TaskStart,
} from '../../proto/generated/containerd/events/task.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { EventEnvelope } from '../events/event-hub.ts'
import type { Bundle } from './bundle.ts'
import { ProcessState, type ProcessIo } from './process-state.ts'
import type { Witness } from './process-witness.ts'
import type { ShimConnection } from './shim-connection.ts'

/** One container with a shim, or what is left of it: `shim` is undefined when the shim is gone. */
export interface Task {
  readonly namespace: string
  readonly id: string
  readonly bundle: Bundle
  readonly init: ProcessState
  /** By exec id. */
  readonly execs: Map<string, ProcessState>
  shim: ShimConnection | undefined
  /** The program that cleans up after itself with `delete`. */
  readonly shimPath: string
  shimWitness: Witness | undefined
  log: { close(): void } | undefined
  /** By exec id, '' for the init: who tells how a process ended when the shim cannot. */
  readonly witnesses: Map<string, Witness>
  /** Processes whose exit event went out: exec ids, '' for the init. */
  readonly publishedExits: Set<string>
  /** The highest number of an event that its shim forwarded. */
  lastSequence: bigint
}

export const NO_IO: ProcessIo = { stdin: '', stdout: '', stderr: '', terminal: false }

export class TaskTable {
  /** By namespace, then id: neither needs escaping. */
  readonly #tasks = new Map<string, Map<string, Task>>()

  add(task: Task): void {
    let tasks = this.#tasks.get(task.namespace)
    if (tasks === undefined) this.#tasks.set(task.namespace, (tasks = new Map<string, Task>()))
    tasks.set(task.id, task)
  }

  remove({ namespace, id }: Pick<Task, 'namespace' | 'id'>): void {
    const tasks = this.#tasks.get(namespace)
    tasks?.delete(id)
    if (tasks?.size === 0) this.#tasks.delete(namespace)
  }

  find(namespace: string, id: string): Task | undefined {
    return this.#tasks.get(namespace)?.get(id)
  }

  /** A task whose Create has been answered. @throws notFound */
  get(namespace: string, id: string): Task {
    const task = this.find(namespace, id)
    if (task === undefined || task.init.phase.status === 'adding')
      throw new PlatformError('notFound', `task ${id} not found`)
    return task
  }

  /**
   * @param execId empty for the init
   * @throws notFound
   */
  getProcess(namespace: string, id: string, execId: string): ProcessState {
    const task = this.get(namespace, id)
    const process = processOf(task, execId)
    if (process === undefined) {
      throw new PlatformError('notFound', `process ${execId} of task ${id} not found`)
    }
    return process
  }

  list(namespace: string): readonly Task[] {
    const tasks = [...(this.#tasks.get(namespace)?.values() ?? [])]
    return tasks.filter(({ init }) => init.phase.status !== 'adding')
  }

  *all(): Generator<Task> {
    for (const tasks of this.#tasks.values()) yield* tasks.values()
  }

  /** Notes the number of a forwarded event. False when it came before: its acknowledgement was lost. */
  isNews({ namespace, topic, event }: EventEnvelope, sequence: bigint | undefined): boolean {
    if (sequence === undefined || !topic.startsWith('/tasks/')) return true
    // Field 1 of every task event is the container's id.
    const task = this.find(namespace, TaskOOM.decode(event.value).containerId)
    if (task === undefined) return true
    if (sequence <= task.lastSequence) return false
    task.lastSequence = sequence
    return true
  }

  /** Takes in what a shim reports; events about tasks that are not here change nothing. */
  apply({ namespace, topic, event }: EventEnvelope): void {
    switch (topic) {
      case '/tasks/start': {
        const { containerId, pid } = TaskStart.decode(event.value)
        this.find(namespace, containerId)?.init.started(pid)
        return
      }
      case '/tasks/exec-added': {
        const { containerId, execId } = TaskExecAdded.decode(event.value)
        const task = this.find(namespace, containerId)
        if (task?.execs.has(execId) === false) {
          task.execs.set(execId, new ProcessState(execId, NO_IO))
        }
        return
      }
      case '/tasks/exec-started': {
        const { containerId, execId, pid } = TaskExecStarted.decode(event.value)
        this.find(namespace, containerId)?.execs.get(execId)?.started(pid)
        return
      }
      case '/tasks/exit':
        this.#applyExit(namespace, TaskExit.decode(event.value))
        return
      case '/tasks/paused': {
        const { containerId } = TaskPaused.decode(event.value)
        this.find(namespace, containerId)?.init.paused()
        return
      }
      case '/tasks/resumed': {
        const { containerId } = TaskResumed.decode(event.value)
        this.find(namespace, containerId)?.init.resumed()
        return
      }
      default:
        return
    }
  }

  #applyExit(namespace: string, event: TaskExit): void {
    const task = this.find(namespace, event.containerId)
    if (task === undefined) return
    const execId = event.id === event.containerId ? '' : event.id
    const exitedAt = event.exitedAt ?? { seconds: 0n, nanos: 0 }
    const { exitStatus, pid } = event
    processOf(task, execId)?.exited({ exitStatus, exitedAt, isKnown: true }, pid)
    task.publishedExits.add(execId)
  }
}

export function processOf(task: Task, execId: string): ProcessState | undefined {
  return execId === '' ? task.init : task.execs.get(execId)
}

export function newTask(bundle: Bundle, shimPath: string, io: ProcessIo): Task {
  return {
    namespace: bundle.namespace,
    id: bundle.id,
    bundle,
    init: new ProcessState('', io),
    execs: new Map(),
    shim: undefined,
    shimPath,
    shimWitness: undefined,
    log: undefined,
    witnesses: new Map(),
    publishedExits: new Set(),
    lastSequence: 0n,
  }
}
