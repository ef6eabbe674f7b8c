import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Metadata } from '@grpc/grpc-js'
import { ContainersDefinition } from '../../../proto/generated/containerd/services/containers/v1/containers.ts'
import { ContentDefinition } from '../../../proto/generated/containerd/services/content/v1/content.ts'
import { EventsDefinition } from '../../../proto/generated/containerd/services/events/v1/events.ts'
import { ImagesDefinition } from '../../../proto/generated/containerd/services/images/v1/images.ts'
import { IntrospectionDefinition } from '../../../proto/generated/containerd/services/introspection/v1/introspection.ts'
import { LeasesDefinition } from '../../../proto/generated/containerd/services/leases/v1/leases.ts'
import { NamespacesDefinition } from '../../../proto/generated/containerd/services/namespaces/v1/namespace.ts'
import { HealthDefinition } from '../../../proto/generated/grpc/health/v1/health.ts'
import { ContentStore } from '../../content/content-store.ts'
import { blobBucket } from '../../content/records.ts'
import { EventHub } from '../../events/event-hub.ts'
import { NO_SNAPSHOTS } from '../../gc/collectable-snapshots.ts'
import { Collector } from '../../gc/collector.ts'
import { LEASE_HEADER, NAMESPACE_HEADER } from '../../grpc/call-context.ts'
import { implementService } from '../../grpc/implement-service.ts'
import { GrpcServer } from '../../grpc/server.ts'
import { TestClient } from '../../grpc/test/test-client.ts'
import { containerBucket, ContainerStore } from '../../metadata/container-store.ts'
import { imageBucket, ImageStore } from '../../metadata/image-store.ts'
import { NamespaceStore } from '../../metadata/namespace-store.ts'
import { MetadataStore } from '../../metadata/store.ts'
import { ContainersService } from '../containers/service.ts'
import { ContentService } from '../content/service.ts'
import { EventsService } from '../events/service.ts'
import { HealthService } from '../health/service.ts'
import { ImagesService } from '../images/service.ts'
import { pluginTable } from '../introspection/plugins.ts'
import { IntrospectionService } from '../introspection/service.ts'
import { openServerIdentity } from '../introspection/server-identity.ts'
import { LeasesService } from '../leases/service.ts'
import { NamespacesService } from '../namespaces/service.ts'

/** The services that need neither snapshots nor shims, on a socket of their own. */
export interface CoreFixture extends AsyncDisposable {
  readonly client: TestClient
  readonly content: ContentStore
  readonly collector: Collector
  /** What was no PlatformError. */
  readonly bugs: readonly unknown[]
}

export async function openCoreFixture(): Promise<CoreFixture> {
  const rootDir = await mkdtemp(join(tmpdir(), 'berth-core-'))
  const store = await MetadataStore.open(rootDir)
  const events = new EventHub()
  const content = await ContentStore.open({ rootDir, store, events })
  const images = new ImageStore(store, events)
  const containers = new ContainerStore(store, events)
  const namespaces = new NamespaceStore(store, events, [
    { bucket: blobBucket, what: 'blobs' },
    { bucket: imageBucket, what: 'images' },
    { bucket: containerBucket, what: 'containers' },
  ])
  const collector = new Collector({ store, content, images, snapshots: NO_SNAPSHOTS })
  const collectNow = (): Promise<unknown> => collector.collect()
  const plugins = pluginTable({ rootDir, snapshotters: ['overlayfs'] })
  const identity = await openServerIdentity(rootDir)
  const bugs: unknown[] = []
  const address = join(rootDir, 'test.sock')
  const server = await GrpcServer.listen({
    address,
    services: [
      implementService(ContainersDefinition, new ContainersService(containers)),
      implementService(ContentDefinition, new ContentService(content)),
      implementService(EventsDefinition, new EventsService(events)),
      implementService(HealthDefinition, new HealthService(() => new Set(['known']))),
      implementService(ImagesDefinition, new ImagesService({ images, collectNow })),
      implementService(IntrospectionDefinition, new IntrospectionService(plugins, identity)),
      implementService(LeasesDefinition, new LeasesService({ store, collectNow })),
      implementService(NamespacesDefinition, new NamespacesService(namespaces)),
    ],
    report: {
      bug: (_method, error) => bugs.push(error),
      failed: () => undefined,
    },
  })
  const client = new TestClient(address)
  return {
    client,
    content,
    collector,
    bugs,
    async [Symbol.asyncDispose]() {
      client.close()
      await server[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await rm(rootDir, { recursive: true })
    },
  }
}

/** The headers of a call in a namespace, perhaps under a lease. */
export function inNamespace(namespace: string, leaseId?: string): Metadata {
  const metadata = new Metadata()
  metadata.set(NAMESPACE_HEADER, namespace)
  if (leaseId !== undefined) metadata.set(LEASE_HEADER, leaseId)
  return metadata
}
