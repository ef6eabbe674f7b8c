/** The services berthctl calls, made on first use. */
import { ContainersDefinition } from '../../proto/generated/containerd/services/containers/v1/containers.ts'
import { ContentDefinition } from '../../proto/generated/containerd/services/content/v1/content.ts'
import { DiffDefinition } from '../../proto/generated/containerd/services/diff/v1/diff.ts'
import { EventsDefinition } from '../../proto/generated/containerd/services/events/v1/events.ts'
import { ImagesDefinition } from '../../proto/generated/containerd/services/images/v1/images.ts'
import { IntrospectionDefinition } from '../../proto/generated/containerd/services/introspection/v1/introspection.ts'
import { LeasesDefinition } from '../../proto/generated/containerd/services/leases/v1/leases.ts'
import { NamespacesDefinition } from '../../proto/generated/containerd/services/namespaces/v1/namespace.ts'
import { SnapshotsDefinition } from '../../proto/generated/containerd/services/snapshots/v1/snapshots.ts'
import { StreamingDefinition } from '../../proto/generated/containerd/services/streaming/v1/streaming.ts'
import { TasksDefinition } from '../../proto/generated/containerd/services/tasks/v1/tasks.ts'
import { TransferDefinition } from '../../proto/generated/containerd/services/transfer/v1/transfer.ts'
import { VersionDefinition } from '../../proto/generated/containerd/services/version/v1/version.ts'
import { Connection } from './connection.ts'

export type Clients = ReturnType<typeof createClients>

/** Everything is made from one channel; `connection.close()` ends it. */
export function createClients(address: string, namespace: string) {
  const connection = new Connection(address, namespace)
  return {
    connection,
    containers: connection.service(ContainersDefinition),
    content: connection.service(ContentDefinition),
    diff: connection.service(DiffDefinition),
    events: connection.service(EventsDefinition),
    images: connection.service(ImagesDefinition),
    introspection: connection.service(IntrospectionDefinition),
    leases: connection.service(LeasesDefinition),
    namespaces: connection.service(NamespacesDefinition),
    snapshots: connection.service(SnapshotsDefinition),
    streaming: connection.service(StreamingDefinition),
    tasks: connection.service(TasksDefinition),
    transfer: connection.service(TransferDefinition),
    version: connection.service(VersionDefinition),
  }
}
