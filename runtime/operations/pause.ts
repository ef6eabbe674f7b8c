import { PlatformError } from '../../proto/errors/platform-error.ts'
import { openCgroup } from '../cgroups/open.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import { type ContainerStatus, statusOf } from '../state/status.ts'
import type { ContainerReference } from '../api.ts'

/** @throws failedPrecondition when it is neither created nor running */
export async function pause(container: ContainerReference): Promise<void> {
  const directory = ContainerDirectory.open(container)
  using _lock = await directory.lock()
  const record = directory.readRecord()
  requireStatus('pause', record.id, statusOf(directory, record), ['created', 'running'])
  await openCgroup(record.cgroupPaths).freeze()
}

/** @throws failedPrecondition when it is not paused */
export async function resume(container: ContainerReference): Promise<void> {
  const directory = ContainerDirectory.open(container)
  using _lock = await directory.lock()
  const record = directory.readRecord()
  requireStatus('resume', record.id, statusOf(directory, record), ['paused'])
  openCgroup(record.cgroupPaths).thaw()
}

function requireStatus(
  action: string,
  id: string,
  status: ContainerStatus,
  wanted: readonly ContainerStatus[],
): void {
  if (wanted.includes(status)) return
  throw new PlatformError('failedPrecondition', {
    action: `${action} container`,
    subject: id,
    found: `a ${status} container`,
    wanted: `a ${wanted.join(' or ')} one`,
  })
}
