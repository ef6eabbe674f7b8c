import type { Logger } from 'pino'
import type { ManagerConfig } from './config/config.ts'
import type { EventHub } from './events/event-hub.ts'
import type { MetadataStore } from './metadata/store.ts'

/** The parts of the manager, as `main.ts` has composed them; services take from it what they need. */
export interface ManagerContext {
  readonly config: ManagerConfig
  readonly log: Logger
  readonly store: MetadataStore
  readonly events: EventHub
  /** Fires when the manager begins to stop. */
  readonly stopping: AbortSignal
}
