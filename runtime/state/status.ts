/** A container's status, derived from the kernel each time. @see runtime-spec v1.3 runtime.md#state */
import { openCgroup } from '../cgroups/open.ts'
import type { OciState } from '../api.ts'
import type { ContainerDirectory } from './container-directory.ts'
import { isAlive } from './init-identity.ts'
import type { ContainerRecord } from './record.ts'

export type ContainerStatus = OciState['status']

/** A record without a process is of a container in creation, or of one whose creation was cut off; both can only be deleted. */
export function statusOf(directory: ContainerDirectory, record: ContainerRecord): ContainerStatus {
  if (record.init === undefined) return 'creating'
  if (!isAlive(record.init)) return 'stopped'
  if (openCgroup(record.cgroupPaths).isFrozen()) return 'paused'
  return directory.isStartable ? 'created' : 'running'
}

export function ociStateOf(directory: ContainerDirectory, record: ContainerRecord): OciState {
  const status = statusOf(directory, record)
  const isStopped = status === 'stopped' || status === 'creating'
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    pid: isStopped ? 0 : (record.init?.pid ?? 0),
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    ...(Object.keys(record.annotations).length === 0 ? {} : { annotations: record.annotations }),
  }
}
