/** Operations that change nothing; they take no lock, so nothing keeps them waiting (DESIGN 13). */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { openCgroup } from '../cgroups/open.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import { ociStateOf } from '../state/status.ts'
import { warn } from '../warnings.ts'
import type { ContainerReference, OciState } from '../api.ts'

/** @throws notFound */
export function state(container: ContainerReference): Promise<OciState> {
  return Promise.resolve().then(() => readState(container))
}

/** Pids of everything in the container, in our pid namespace; empty when it has stopped. */
export function pids(container: ContainerReference): Promise<readonly number[]> {
  return Promise.resolve().then(() => {
    const record = ContainerDirectory.open(container).readRecord()
    return openCgroup(record.cgroupPaths).pids()
  })
}

/** All containers below a state root, by id. One that cannot be read is left out with a warning. */
export function list(root: string): readonly OciState[] {
  return ContainerDirectory.list(root).flatMap((id) => {
    try {
      return [readState({ root, id })]
    } catch (error) {
      // Deleted between listing and reading.
      if (error instanceof PlatformError && error.code === 'notFound') return []
      warn(`container ${id} left out: ${error instanceof Error ? error.message : String(error)}`)
      return []
    }
  })
}

function readState(container: ContainerReference): OciState {
  const directory = ContainerDirectory.open(container)
  return ociStateOf(directory, directory.readRecord())
}
