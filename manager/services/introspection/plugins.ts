/** One entry of what the manager says it is made of. */
export interface PluginEntry {
  readonly type: string
  readonly id: string
  readonly requires: readonly string[]
  readonly hasPlatform: boolean
  readonly capabilities: readonly string[]
  readonly exports: Readonly<Record<string, string>>
}

const CONTENT = 'io.containerd.content.v1'
const SNAPSHOTTER = 'io.containerd.snapshotter.v1'
const METADATA = 'io.containerd.metadata.v1'
const DIFFER = 'io.containerd.differ.v1'
const GC = 'io.containerd.gc.v1'
const LEASE = 'io.containerd.lease.v1'
const EVENT = 'io.containerd.event.v1'
const RUNTIME = 'io.containerd.runtime.v2'
const SERVICE = 'io.containerd.service.v1'
const GRPC = 'io.containerd.grpc.v1'
const TRANSFER = 'io.containerd.transfer.v1'
const STREAMING = 'io.containerd.streaming.v1'
const SHIM = 'io.containerd.shim.v1'

/** What lies behind each `io.containerd.service.v1` that clients look for. */
const SERVICES: Readonly<Record<string, readonly string[]>> = {
  containers: [EVENT, METADATA],
  content: [METADATA],
  diff: [DIFFER],
  images: [METADATA, GC],
  introspection: [],
  namespaces: [EVENT, METADATA],
  snapshots: [METADATA],
  tasks: [EVENT, RUNTIME, METADATA],
}

/** Services of the gRPC endpoint that stand on something else than a service plugin. */
const ENDPOINTS: Readonly<Record<string, readonly string[]>> = {
  events: [EVENT],
  healthcheck: [],
  leases: [LEASE],
  streaming: [STREAMING],
  transfer: [TRANSFER, STREAMING],
  version: [],
}

export interface PluginTableOptions {
  readonly rootDir: string
  readonly snapshotters: readonly string[]
}

/**
 * The parts in containerd's words: clients ask for them by type and id, to learn what they can use.
 *
 * @see containerd-behaviour.md §h, introspection-plugins-2.1.9.tsv
 */
export function pluginTable({ rootDir, snapshotters }: PluginTableOptions): readonly PluginEntry[] {
  return [
    entry(CONTENT, 'content', [], {
      exports: { root: `${rootDir}/io.containerd.content.v1.content` },
    }),
    entry(EVENT, 'exchange', []),
    ...snapshotters.map((id) =>
      entry(SNAPSHOTTER, id, [], {
        hasPlatform: true,
        exports: { root: `${rootDir}/${SNAPSHOTTER}.${id}` },
      }),
    ),
    entry(METADATA, 'bolt', [CONTENT, EVENT, SNAPSHOTTER], { exports: { policy: 'shared' } }),
    entry(GC, 'scheduler', [METADATA]),
    entry(DIFFER, 'walking', [METADATA], { hasPlatform: true }),
    entry(LEASE, 'manager', [METADATA, GC]),
    entry(STREAMING, 'manager', [METADATA]),
    entry(TRANSFER, 'local', [LEASE, METADATA, DIFFER]),
    entry(SHIM, 'manager', [EVENT, METADATA]),
    entry(RUNTIME, 'task', [SHIM], { hasPlatform: true }),
    ...Object.entries(SERVICES).map(([name, requires]) =>
      entry(SERVICE, `${name}-service`, requires),
    ),
    ...Object.keys(SERVICES).map((name) => entry(GRPC, name, [SERVICE])),
    ...Object.entries(ENDPOINTS).map(([name, requires]) => entry(GRPC, name, requires)),
  ]
}

function entry(
  type: string,
  id: string,
  requires: readonly string[],
  more: Partial<PluginEntry> = {},
): PluginEntry {
  return { type, id, requires, hasPlatform: false, capabilities: [], exports: {}, ...more }
}
