import { closeSync } from 'node:fs'
import { native } from '../../native/binding.ts'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { openCgroup } from '../cgroups/open.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import { openProcess } from '../state/init-identity.ts'
import type { ContainerRecord } from '../state/record.ts'
import type { ContainerReference } from '../api.ts'

const SIGKILL = 9

/**
 * Sends a signal to the container's init, or to all its processes.
 *
 * @throws failedPrecondition when it is not running
 */
export async function kill(
  container: ContainerReference,
  signal: number,
  options: { readonly all?: boolean } = {},
): Promise<void> {
  const record = ContainerDirectory.open(container).readRecord()
  if (options.all === true) {
    await openCgroup(record.cgroupPaths).signalAll(signal)
    return
  }
  if (!signalInit(record, signal)) {
    // containerd and dockerd look for these words.
    throw new PlatformError('failedPrecondition', {
      action: `kill container ${record.id}: container not running`,
    })
  }
}

/** False when init has ended. */
export function signalInit(record: ContainerRecord, signal: number): boolean {
  const pidfd = record.init === undefined ? undefined : openProcess(record.init)
  if (pidfd === undefined) return false
  try {
    native().pidfdSendSignal(pidfd, signal)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false
    throw wrapSystemError(error, {
      action: `send signal ${signal} to container`,
      subject: record.id,
    })
  } finally {
    closeSync(pidfd)
  }
  if (signal === SIGKILL) letDie(record)
  return true
}

/** A frozen process does not die on cgroup v1: a pause ends with SIGKILL. */
function letDie(record: ContainerRecord): void {
  const cgroup = openCgroup(record.cgroupPaths)
  if (cgroup.version === 1 && cgroup.isFrozen()) cgroup.thaw()
}
