import { join } from 'node:path'
import { native } from '../native/binding.ts'
import { PlatformError } from '../proto/errors/platform-error.ts'
import { ttrpcAddress, type ManagerConfig } from './config/config.ts'
import { parseInvocation, USAGE } from './config/flags.ts'
import { RootLock } from './config/root-lock.ts'
import { ContentStore } from './content/content-store.ts'
import { blobBucket } from './content/records.ts'
import type { ManagerContext } from './context.ts'
import { EventHub } from './events/event-hub.ts'
import { Collector } from './gc/collector.ts'
import { CollectionScheduler } from './gc/scheduler.ts'
import { logCalls } from './grpc/call-log.ts'
import { GrpcServer } from './grpc/server.ts'
import { createLogger } from './logging.ts'
import { containerBucket, ContainerStore } from './metadata/container-store.ts'
import { imageBucket, ImageStore } from './metadata/image-store.ts'
import { NamespaceStore, type NamespaceTenant } from './metadata/namespace-store.ts'
import { MetadataStore } from './metadata/store.ts'
import { StreamRegistry } from './services/streaming/stream-registry.ts'
import { createServices } from './services/index.ts'
import { openServerIdentity } from './services/introspection/server-identity.ts'
import { openShims } from './shims/open-shims.ts'
import { collectableSnapshots } from './snapshots/collectable.ts'
import { openOverlayfs } from './snapshots/open-overlayfs.ts'
import { snapshotBucket } from './snapshots/snapshot-record.ts'
import { EventEndpoint } from './ttrpc/event-endpoint.ts'
import { LayerUnpacker } from './unpack/layer-unpacker.ts'
import { VERSION } from './version.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 64

/** berthd: the composition root. Parts are made here, in the order of their dependence, and disposed of in reverse. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const invocation = parseInvocation(args)
    switch (invocation.kind) {
      case 'help':
        process.stdout.write(USAGE)
        return 0
      case 'version':
        process.stdout.write(`berthd ${VERSION}\n`)
        return 0
      case 'serve':
        await serve(invocation.config)
        return 0
    }
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error
    process.stderr.write(`berthd: ${error.message}\n`)
    return error.code === 'invalidArgument' ? EXIT_USAGE : EXIT_FAILED
  }
}

async function serve(config: ManagerConfig): Promise<void> {
  const log = createLogger({ level: config.logLevel, format: config.logFormat })
  const stopping = stopOnSignal((signal) => {
    log.info({ signal }, 'stopping')
  })
  const { rootDir } = config
  using _lock = await RootLock.acquire(rootDir, (fd, operation) => {
    native().flock(fd, operation)
  })
  const identity = await openServerIdentity(rootDir)
  await using store = await MetadataStore.open(rootDir)
  const events = new EventHub()
  await using content = await ContentStore.open({ rootDir, store, events })
  const images = new ImageStore(store, events)
  const containers = new ContainerStore(store, events)
  const namespaces = new NamespaceStore(store, events, NAMESPACE_TENANTS)
  const snapshotters = [await openOverlayfs({ rootDir, store, events })]
  const snapshots = collectableSnapshots(snapshotters)
  const unpacker = new LayerUnpacker(join(rootDir, 'scratch'))
  const collector = new Collector({ store, content, images, snapshots })
  await using collections = new CollectionScheduler({ collect: () => collector.collect(), log })
  store.onCommit((summary) => {
    collections.observe(summary)
  })
  await using shims = openShims({ config, containers, events, log })
  await using _events = await EventEndpoint.listen({
    path: ttrpcAddress(config),
    receive: (envelope, sequence) => {
      shims.receive(envelope, sequence)
    },
    log,
  })
  await shims.recover()
  const context: ManagerContext = {
    ...{ config, log, store, events, content, images, containers, namespaces },
    ...{
      snapshotters,
      unpacker,
      streams: new StreamRegistry(),
      collections,
      identity,
      shims,
      stopping,
    },
  }
  await using server = await GrpcServer.listen({
    address: config.address,
    services: createServices(context),
    report: logCalls(log),
  })
  collections.start()
  log.info(
    { address: server.address, root: rootDir, state: config.stateDir, version: VERSION },
    'serving',
  )
  await aborted(stopping)
}

/** What keeps a namespace from being deleted. */
const NAMESPACE_TENANTS: readonly NamespaceTenant[] = [
  { bucket: imageBucket, what: 'images' },
  { bucket: blobBucket, what: 'blobs' },
  { bucket: containerBucket, what: 'containers' },
  { bucket: snapshotBucket, what: 'snapshots' },
]

/** A second signal does not hurry anybody: the stop is bounded by itself. */
function stopOnSignal(announce: (signal: string) => void): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) return
      announce(signal)
      controller.abort()
    })
  }
  return controller.signal
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true })
  })
}
