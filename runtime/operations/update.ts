import { PlatformError } from '../../proto/errors/platform-error.ts'
import { openCgroup } from '../cgroups/open.ts'
import type { LinuxResources } from '../spec/types.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import { statusOf } from '../state/status.ts'
import type { ContainerReference } from '../api.ts'

/** Changes the limits that `resources` names. @throws failedPrecondition when the container has stopped */
export async function update(
  container: ContainerReference,
  resources: LinuxResources,
): Promise<void> {
  const directory = ContainerDirectory.open(container)
  using _lock = await directory.lock()
  const record = directory.readRecord()
  if (statusOf(directory, record) === 'stopped') {
    throw new PlatformError('failedPrecondition', {
      action: 'update container',
      subject: record.id,
      found: 'a stopped container',
      wanted: 'one that runs',
    })
  }
  openCgroup(record.cgroupPaths).update(resources)
}
