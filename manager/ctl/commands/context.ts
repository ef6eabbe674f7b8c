import type { Clients } from '../clients.ts'

/** What every command gets: where to ask, and where to write. */
export interface CommandContext {
  readonly clients: Clients
  readonly namespace: string
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** The snapshotter and runtime a container gets when nobody chose. */
export const DEFAULT_SNAPSHOTTER = 'overlayfs'
export const DEFAULT_RUNTIME = 'io.containerd.runc.v2'

/** Type URLs of the JSON documents in containers and tasks. */
export const SPEC_TYPE_URL = 'types.containerd.io/opencontainers/runtime-spec/1/Spec'
export const PROCESS_TYPE_URL = 'types.containerd.io/opencontainers/runtime-spec/1/Process'
