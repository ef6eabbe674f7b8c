/**
 * What the runtime can do, one function per OCI operation; every failure is a PlatformError. The command line
 * (`commands/`) and the shim (through `index.ts`) see nothing else of it.
 */
import type { Bundle } from './spec/bundle.ts'
import type { LinuxResources, ProcessSpec } from './spec/types.ts'

/** Where a container's state lives: `<root>/<id>/`. */
export interface ContainerReference {
  /** State root, absolute. Default of the command line: /run/berth/runtime. */
  readonly root: string
  readonly id: string
}

/** What a process gets as stdin, stdout and stderr. The descriptors stay the caller's. */
export type ProcessStdio =
  | {
      readonly kind: 'descriptors'
      readonly stdin: number
      readonly stdout: number
      readonly stderr: number
    }
  /** The terminal is made inside the container's own devpts; its master comes back as `consoleFd`. */
  | { readonly kind: 'terminal' }

export interface CreateOptions extends ContainerReference {
  readonly bundle: Bundle
  readonly stdio: ProcessStdio
  /** Descriptors the container's process finds at 3, 4, … */
  readonly preserveFds?: readonly number[]
  readonly pidFile?: string
  readonly noPivot?: boolean
  readonly noNewKeyring?: boolean
}

export interface ExecOptions extends ContainerReference {
  readonly process: ProcessSpec
  readonly stdio: ProcessStdio
  readonly preserveFds?: readonly number[]
  readonly pidFile?: string
}

export interface LaunchedProcess {
  /** In the caller's pid namespace. The process is a child of the caller. */
  readonly pid: number
  /** Owned by the caller. */
  readonly pidfd: number
  /** The terminal's master, owned by the caller; set when stdio is a terminal. */
  readonly consoleFd?: number
}

/** @see runtime-spec v1.3 runtime.md#state */
export interface OciState {
  readonly ociVersion: string
  readonly id: string
  readonly status: 'creating' | 'created' | 'running' | 'paused' | 'stopped'
  /** 0 when stopped, as runc prints it. */
  readonly pid: number
  readonly bundle: string
  readonly rootfs: string
  /** RFC 3339 with nanoseconds. */
  readonly created: string
  readonly annotations?: Readonly<Record<string, string>>
}

export interface RuntimeOperations {
  create(options: CreateOptions): Promise<LaunchedProcess>
  start(container: ContainerReference): Promise<void>
  exec(options: ExecOptions): Promise<LaunchedProcess>
  kill(
    container: ContainerReference,
    signal: number,
    options?: { readonly all?: boolean },
  ): Promise<void>
  /** @throws failedPrecondition when it is not stopped and `force` is not set */
  delete(container: ContainerReference, options?: { readonly force?: boolean }): Promise<void>
  pause(container: ContainerReference): Promise<void>
  resume(container: ContainerReference): Promise<void>
  update(container: ContainerReference, resources: LinuxResources): Promise<void>
  state(container: ContainerReference): Promise<OciState>
  /** Pids of all processes of the container, in the caller's pid namespace. */
  pids(container: ContainerReference): Promise<readonly number[]>
}
