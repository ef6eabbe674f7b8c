import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { EventHub } from '../events/event-hub.ts'
import type { MetadataStore } from '../metadata/store.ts'
import { SnapshotDirectories } from './snapshot-directories.ts'
import { Snapshotter } from './snapshotter.ts'

/** There when the overlayfs of this kernel knows the option `index`. */
const INDEX_PARAMETER = '/sys/module/overlay/parameters/index'

/** The directory of the overlayfs snapshotter below the manager's root. */
export function overlayfsRoot(rootDir: string): string {
  return join(rootDir, 'io.containerd.snapshotter.v1.overlayfs')
}

/** Opens the overlayfs snapshotter and takes away what an earlier run left half made. */
export async function openOverlayfs(options: {
  readonly rootDir: string
  readonly store: MetadataStore
  readonly events: EventHub
}): Promise<Snapshotter> {
  const snapshotter = new Snapshotter({
    name: 'overlayfs',
    store: options.store,
    events: options.events,
    directories: await SnapshotDirectories.open(overlayfsRoot(options.rootDir)),
    hasIndexOption: existsSync(INDEX_PARAMETER),
  })
  await snapshotter.removeAbandoned()
  await snapshotter.cleanup()
  return snapshotter
}
