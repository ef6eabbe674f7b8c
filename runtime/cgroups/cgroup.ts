/** A container's cgroup, whatever the version of the host. */
import type { LinuxResources } from '../spec/types.ts'
import type { CgroupPaths } from './cgroup-path.ts'

export interface Cgroup {
  readonly version: 1 | 2
  /** What the state file keeps; `openCgroup` makes a Cgroup of it again. */
  readonly paths: CgroupPaths
  /** The container's directory on cgroup v2 (also beside v1): a process is born in it (CLONE_INTO_CGROUP). */
  readonly unifiedPath: string | undefined
  /** The `tasks` file of each v1 hierarchy: a thread that writes 0 into it moves itself there. */
  readonly taskFiles: readonly string[]
  /** Pids, in our pid namespace, of everything in it and below; empty when the cgroup is gone. */
  pids(): readonly number[]
  /** Resolves when everything in it has stopped. @throws deadlineExceeded; it is thawed again then */
  freeze(): Promise<void>
  thaw(): void
  isFrozen(): boolean
  /** Sends a signal to everything in it and below, to no process twice and to no new one (S-25). */
  signalAll(signal: number): Promise<void>
  /** SIGKILL until it is empty, frozen or not. @throws deadlineExceeded with the pids that do not die */
  killAll(): Promise<void>
  /** Changes what `resources` names and leaves the rest. */
  update(resources: LinuxResources): void
  /** Removes it and what is below it. @throws deadlineExceeded when processes remain */
  destroy(): Promise<void>
}
