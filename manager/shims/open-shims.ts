/** Puts the shim manager together as berthd uses it. */
import { join } from 'node:path'
import { native } from '../../native/binding.ts'
import { programDirectory } from '../../native/program-directory.ts'
import type { ManagerConfig } from '../config/config.ts'
import type { ContainerStore } from '../metadata/container-store.ts'
import type { EventSink, Log } from './ports.ts'
import { watchProcess } from './process-witness.ts'
import { unmountRootfs } from './rootfs.ts'
import { ShimLog } from './shim-log.ts'
import { ShimManager } from './shim-manager.ts'

export interface ShimParts {
  readonly config: ManagerConfig
  readonly containers: ContainerStore
  readonly events: EventSink
  readonly log: Log
}

/** Without a PATH of its own the manager still finds what the system has. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export function openShims({ config, containers, events, log }: ShimParts): ShimManager {
  // What a dead shim leaves becomes our child: so its exit status can still be seen.
  native().setChildSubreaper()
  return new ShimManager({
    roots: { stateDirectory: config.stateDir, rootDirectory: config.rootDir },
    containers: {
      get: (namespace, id) => {
        const { runtime, spec } = containers.get(namespace, id)
        return { id, runtimeName: runtime.name, runtimeOptions: runtime.options, spec }
      },
    },
    events,
    host: {
      watch: watchProcess,
      openLog: (bundle, shimLog) => ShimLog.open(bundle, shimLog),
      unmountRootfs,
    },
    log,
    shim: {
      address: config.address,
      publishBinary: join(programDirectory(), 'berthd'),
      isDebug: config.logLevel === 'debug' || config.logLevel === 'trace',
      path: process.env['PATH'] ?? DEFAULT_PATH,
    },
    programDirectory: programDirectory(),
    runtimes: config.runtimes,
  })
}
