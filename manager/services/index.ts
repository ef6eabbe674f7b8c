import { ContainersDefinition } from '../../proto/generated/containerd/services/containers/v1/containers.ts'
import { ContentDefinition } from '../../proto/generated/containerd/services/content/v1/content.ts'
import { DiffDefinition } from '../../proto/generated/containerd/services/diff/v1/diff.ts'
import { EventsDefinition } from '../../proto/generated/containerd/services/events/v1/events.ts'
import { ImagesDefinition } from '../../proto/generated/containerd/services/images/v1/images.ts'
import { IntrospectionDefinition } from '../../proto/generated/containerd/services/introspection/v1/introspection.ts'
import { LeasesDefinition } from '../../proto/generated/containerd/services/leases/v1/leases.ts'
import { NamespacesDefinition } from '../../proto/generated/containerd/services/namespaces/v1/namespace.ts'
import { SnapshotsDefinition } from '../../proto/generated/containerd/services/snapshots/v1/snapshots.ts'
import { TasksDefinition } from '../../proto/generated/containerd/services/tasks/v1/tasks.ts'
import { StreamingDefinition } from '../../proto/generated/containerd/services/streaming/v1/streaming.ts'
import { TransferDefinition } from '../../proto/generated/containerd/services/transfer/v1/transfer.ts'
import { VersionDefinition } from '../../proto/generated/containerd/services/version/v1/version.ts'
import { HealthDefinition } from '../../proto/generated/grpc/health/v1/health.ts'
import type { ManagerContext } from '../context.ts'
import { implementService, type ServiceImplementation } from '../grpc/implement-service.ts'
import { ContainersService } from './containers/service.ts'
import { ContentService } from './content/service.ts'
import { DiffService } from './diff/service.ts'
import { EventsService } from './events/service.ts'
import { HealthService } from './health/service.ts'
import { ImagesService } from './images/service.ts'
import { pluginTable } from './introspection/plugins.ts'
import { IntrospectionService } from './introspection/service.ts'
import { LeasesService } from './leases/service.ts'
import { NamespacesService } from './namespaces/service.ts'
import { SnapshotsService } from './snapshots/service.ts'
import { TasksService } from './tasks/service.ts'
import { StreamingService } from './streaming/service.ts'
import { TransferService } from './transfer/service.ts'
import { VersionService } from './version/service.ts'

type ServiceFactory = (context: ManagerContext) => ServiceImplementation

/** Every service of the gRPC endpoint, one entry each. */
const FACTORIES: readonly ServiceFactory[] = [
  () => implementService(VersionDefinition, new VersionService()),
  ({ config, snapshotters, identity }) => {
    const names = snapshotters.map(({ name }) => name)
    const plugins = pluginTable({ rootDir: config.rootDir, snapshotters: names })
    return implementService(IntrospectionDefinition, new IntrospectionService(plugins, identity))
  },
  ({ namespaces }) => implementService(NamespacesDefinition, new NamespacesService(namespaces)),
  ({ store, collections }) => {
    const collectNow = (): Promise<unknown> => collections.collectNow()
    return implementService(LeasesDefinition, new LeasesService({ store, collectNow }))
  },
  ({ content }) => implementService(ContentDefinition, new ContentService(content)),
  ({ images, collections }) => {
    const collectNow = (): Promise<unknown> => collections.collectNow()
    return implementService(ImagesDefinition, new ImagesService({ images, collectNow }))
  },
  ({ containers }) => implementService(ContainersDefinition, new ContainersService(containers)),
  ({ events }) => implementService(EventsDefinition, new EventsService(events)),
  ({ shims, log }) => implementService(TasksDefinition, new TasksService(shims, log)),
  ({ snapshotters }) => implementService(SnapshotsDefinition, new SnapshotsService(snapshotters)),
  ({ content, unpacker }) =>
    implementService(DiffDefinition, new DiffService(content, unpacker), {
      unimplemented: ['diff'],
    }),
  ({ streams }) => implementService(StreamingDefinition, new StreamingService(streams)),
  (context) => implementService(TransferDefinition, new TransferService(context)),
]

export function createServices(context: ManagerContext): readonly ServiceImplementation[] {
  const services = FACTORIES.map((create) => create(context))
  const names = new Set(services.map(({ fullName }) => fullName))
  return [...services, implementService(HealthDefinition, new HealthService(() => names))]
}
