/** What the shim manager is made with, what it is asked for and what it answers. */
import type { CreateTaskRequest } from '../../proto/generated/containerd/runtime/task/v2/shim.ts'
import type { Any } from '../../proto/generated/google/protobuf/any.ts'
import type { Timestamp } from '../../proto/generated/google/protobuf/timestamp.ts'
import type { BundleRoots } from './bundle.ts'
import type { ContainerSource, EventSink, Log, ShimHost } from './ports.ts'
import type { ProcessIo } from './process-state.ts'
import type { ShimProgramOptions } from './shim-program.ts'

export interface ShimManagerOptions {
  readonly roots: BundleRoots
  readonly containers: ContainerSource
  readonly events: EventSink
  readonly host: ShimHost
  readonly log: Log
  readonly shim: ShimProgramOptions
  /** Where our own programs lie. */
  readonly programDirectory: string
  /** Configured runtime name → shim program. */
  readonly runtimes: Readonly<Record<string, string>>
}

/** What a client asks for beside the container. */
export interface CreateOptions {
  readonly rootfs: CreateTaskRequest['rootfs']
  readonly io: ProcessIo
  /** Instead of the container's own runtime options. */
  readonly runtimeOptions: Any | undefined
  /** Absolute path of a shim, instead of the one the container's runtime name stands for; or empty. */
  readonly runtimePath: string
}

export interface DeletedProcess {
  readonly pid: number
  readonly exitStatus: number
  readonly exitedAt: Timestamp | undefined
}
