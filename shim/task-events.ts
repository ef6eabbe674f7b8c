/** The events of the task service, each with its topic. */
import {
  TaskCreate,
  TaskDelete,
  TaskExecAdded,
  TaskExecStarted,
  TaskExit,
  TaskOOM,
  TaskPaused,
  TaskResumed,
  TaskStart,
} from '../proto/generated/containerd/events/task.ts'

/** @see reference/event-topics.tsv */
export type TaskEvent =
  | { readonly topic: '/tasks/create'; readonly message: TaskCreate }
  | { readonly topic: '/tasks/start'; readonly message: TaskStart }
  | { readonly topic: '/tasks/exec-added'; readonly message: TaskExecAdded }
  | { readonly topic: '/tasks/exec-started'; readonly message: TaskExecStarted }
  | { readonly topic: '/tasks/exit'; readonly message: TaskExit }
  | { readonly topic: '/tasks/delete'; readonly message: TaskDelete }
  | { readonly topic: '/tasks/oom'; readonly message: TaskOOM }
  | { readonly topic: '/tasks/paused'; readonly message: TaskPaused }
  | { readonly topic: '/tasks/resumed'; readonly message: TaskResumed }

/** What takes events: durable when this returns, delivered later. */
export interface EventSink {
  publish(event: TaskEvent): void
}

export interface EncodedEvent {
  /** Bare full name, as Go's typeurl writes it for protobuf messages. */
  readonly typeUrl: string
  readonly value: Buffer
}

export function encodeTaskEvent(event: TaskEvent): EncodedEvent {
  switch (event.topic) {
    case '/tasks/create':
      return encoded('TaskCreate', TaskCreate.encode(event.message).finish())
    case '/tasks/start':
      return encoded('TaskStart', TaskStart.encode(event.message).finish())
    case '/tasks/exec-added':
      return encoded('TaskExecAdded', TaskExecAdded.encode(event.message).finish())
    case '/tasks/exec-started':
      return encoded('TaskExecStarted', TaskExecStarted.encode(event.message).finish())
    case '/tasks/exit':
      return encoded('TaskExit', TaskExit.encode(event.message).finish())
    case '/tasks/delete':
      return encoded('TaskDelete', TaskDelete.encode(event.message).finish())
    case '/tasks/oom':
      return encoded('TaskOOM', TaskOOM.encode(event.message).finish())
    case '/tasks/paused':
      return encoded('TaskPaused', TaskPaused.encode(event.message).finish())
    case '/tasks/resumed':
      return encoded('TaskResumed', TaskResumed.encode(event.message).finish())
  }
}

function encoded(name: string, bytes: Uint8Array): EncodedEvent {
  return { typeUrl: `containerd.events.${name}`, value: Buffer.from(bytes) }
}
