/** What the shim manager needs of the rest of the manager. */
import type { Any } from '../../proto/generated/google/protobuf/any.ts'
import type { EventHub } from '../events/event-hub.ts'
import type { Bundle } from './bundle.ts'
import type { Witness } from './process-witness.ts'

/** As much of a container record as a task is made from. */
export interface TaskContainer {
  readonly id: string
  readonly runtimeName: string
  readonly runtimeOptions: Any | undefined
  /** The OCI configuration: an Any whose value is JSON. */
  readonly spec: Any | undefined
}

export interface ContainerSource {
  /** @throws notFound */
  get(namespace: string, containerId: string): Promise<TaskContainer> | TaskContainer
}

export type EventSink = Pick<EventHub, 'publish' | 'forward'>

export interface Log {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

/** What the shim manager asks of the kernel. */
export interface ShimHost {
  /** Undefined when there is no such process any more. */
  watch(pid: number): Witness | undefined
  /** Begins to read the log of a bundle's shim. */
  openLog(bundle: Bundle, log: Log): { close(): void }
  /** Takes off everything mounted there; that there is nothing is no error. */
  unmountRootfs(path: string): void
}
