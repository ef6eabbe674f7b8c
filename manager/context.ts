import type { Logger } from 'pino'
import type { ManagerConfig } from './config/config.ts'
import type { ContentStore } from './content/content-store.ts'
import type { EventHub } from './events/event-hub.ts'
import type { CollectionScheduler } from './gc/scheduler.ts'
import type { ContainerStore } from './metadata/container-store.ts'
import type { ImageStore } from './metadata/image-store.ts'
import type { NamespaceStore } from './metadata/namespace-store.ts'
import type { MetadataStore } from './metadata/store.ts'
import type { ServerIdentity } from './services/introspection/server-identity.ts'
import type { ShimManager } from './shims/shim-manager.ts'
import type { StreamRegistry } from './services/streaming/stream-registry.ts'
import type { Snapshotter } from './snapshots/snapshotter.ts'
import type { LayerUnpacker } from './unpack/layer-unpacker.ts'

/** The parts of the manager, as `main.ts` has composed them; services take from it what they need. */
export interface ManagerContext {
  readonly config: ManagerConfig
  readonly log: Logger
  readonly store: MetadataStore
  readonly events: EventHub
  readonly content: ContentStore
  readonly namespaces: NamespaceStore
  readonly images: ImageStore
  readonly containers: ContainerStore
  readonly snapshotters: readonly Snapshotter[]
  readonly unpacker: LayerUnpacker
  /** Streams of clients, for transfers to find. */
  readonly streams: StreamRegistry
  readonly collections: CollectionScheduler
  readonly identity: ServerIdentity
  readonly shims: ShimManager
  /** Fires when the manager begins to stop. */
  readonly stopping: AbortSignal
}
