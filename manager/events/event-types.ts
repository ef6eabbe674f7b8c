import {
  ContainerCreate,
  ContainerDelete,
  ContainerUpdate,
} from '../../proto/generated/containerd/events/container.ts'
import { ContentCreate, ContentDelete } from '../../proto/generated/containerd/events/content.ts'
import {
  ImageCreate,
  ImageDelete,
  ImageUpdate,
} from '../../proto/generated/containerd/events/image.ts'
import {
  NamespaceCreate,
  NamespaceDelete,
  NamespaceUpdate,
} from '../../proto/generated/containerd/events/namespace.ts'
import {
  SnapshotCommit,
  SnapshotPrepare,
  SnapshotRemove,
} from '../../proto/generated/containerd/events/snapshot.ts'
import {
  TaskCheckpointed,
  TaskCreate,
  TaskDelete,
  TaskExecAdded,
  TaskExecStarted,
  TaskExit,
  TaskOOM,
  TaskPaused,
  TaskResumed,
  TaskStart,
} from '../../proto/generated/containerd/events/task.ts'

/** The events of the platform by type URL: the full name of the message, without any prefix. */
export const EVENT_TYPES = {
  'containerd.events.ContainerCreate': ContainerCreate,
  'containerd.events.ContainerUpdate': ContainerUpdate,
  'containerd.events.ContainerDelete': ContainerDelete,
  'containerd.events.ContentCreate': ContentCreate,
  'containerd.events.ContentDelete': ContentDelete,
  'containerd.events.NamespaceCreate': NamespaceCreate,
  'containerd.events.NamespaceUpdate': NamespaceUpdate,
  'containerd.events.NamespaceDelete': NamespaceDelete,
  'containerd.events.SnapshotPrepare': SnapshotPrepare,
  'containerd.events.SnapshotCommit': SnapshotCommit,
  'containerd.events.SnapshotRemove': SnapshotRemove,
  'containerd.events.TaskCreate': TaskCreate,
  'containerd.events.TaskStart': TaskStart,
  'containerd.events.TaskExecAdded': TaskExecAdded,
  'containerd.events.TaskExecStarted': TaskExecStarted,
  'containerd.events.TaskExit': TaskExit,
  'containerd.events.TaskDelete': TaskDelete,
  'containerd.events.TaskOOM': TaskOOM,
  'containerd.events.TaskPaused': TaskPaused,
  'containerd.events.TaskResumed': TaskResumed,
  'containerd.events.TaskCheckpointed': TaskCheckpointed,
  'containerd.services.images.v1.ImageCreate': ImageCreate,
  'containerd.services.images.v1.ImageUpdate': ImageUpdate,
  'containerd.services.images.v1.ImageDelete': ImageDelete,
} as const

export type EventType = keyof typeof EVENT_TYPES

export type EventMessage<Type extends EventType> = ReturnType<(typeof EVENT_TYPES)[Type]['decode']>

interface EventCodec<Message> {
  encode(message: Message): { finish(): Uint8Array }
}

export function encodeEvent<Type extends EventType>(
  type: Type,
  message: EventMessage<Type>,
): Buffer {
  // The table ties each type to its message; the union of the codecs does not show it to the compiler.
  const codec = EVENT_TYPES[type] as unknown as EventCodec<EventMessage<Type>>
  return Buffer.from(codec.encode(message).finish())
}

export function decodeEvent(typeUrl: string, value: Uint8Array): object | undefined {
  return isEventType(typeUrl) ? EVENT_TYPES[typeUrl].decode(value) : undefined
}

function isEventType(typeUrl: string): typeUrl is EventType {
  return Object.hasOwn(EVENT_TYPES, typeUrl)
}
