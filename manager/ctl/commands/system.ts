import { PlatformError } from '../../../proto/errors/platform-error.ts'
import { decodeEvent } from '../../events/event-types.ts'
import { formatTable } from '../table.ts'
import type { CommandContext } from './context.ts'
import { VERSION } from '../../version.ts'

export async function version({ clients, out }: CommandContext): Promise<void> {
  const server = await clients.version.version({})
  out(
    formatTable([
      ['berthctl', VERSION],
      ['manager', [server.version, server.revision].filter((part) => part !== '').join(' ')],
    ]),
  )
}

export async function info({ clients, namespace, out }: CommandContext): Promise<void> {
  const [server, { plugins }, { containers }, { tasks }, { images }] = await Promise.all([
    clients.introspection.server({}),
    clients.introspection.plugins({}),
    clients.containers.list({}),
    clients.tasks.list({}),
    clients.images.list({}),
  ])
  const snapshotters = plugins.filter(({ type }) => type === 'io.containerd.snapshotter.v1')
  out(
    formatTable([
      ['address', clients.connection.address],
      ['uuid', server.uuid],
      ['pid', String(server.pid)],
      ['namespace', namespace],
      ['containers', String(containers.length)],
      ['tasks', String(tasks.length)],
      ['images', String(images.length)],
      ['snapshotters', snapshotters.map(({ id }) => id).join(', ')],
    ]),
  )
}

export async function listNamespaces({ clients, out }: CommandContext): Promise<void> {
  const { namespaces } = await clients.namespaces.list({})
  const rows = namespaces.map(({ name, labels }) => [
    name,
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
  ])
  out(formatTable([['NAMESPACE', 'LABELS'], ...rows]))
}

/** Prints events as they come, until it is interrupted. */
export async function events(
  { clients, out }: CommandContext,
  filters: readonly string[],
): Promise<void> {
  const interrupted = new AbortController()
  const stop = (): void => {
    interrupted.abort()
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    const stream = clients.events.subscribe(
      { filters: [...filters] },
      { signal: interrupted.signal },
    )
    for await (const { timestamp, namespace, topic, event } of stream) {
      const seconds = Number(timestamp?.seconds ?? 0n)
      const at = new Date(seconds * 1000 + Math.floor((timestamp?.nanos ?? 0) / 1e6)).toISOString()
      const message = event === undefined ? {} : (decodeEvent(event.typeUrl, event.value) ?? {})
      out(`${at} ${namespace} ${topic} ${JSON.stringify(message, bigintAsNumber)}\n`)
    }
  } catch (error) {
    if (!(error instanceof PlatformError && error.code === 'canceled')) throw error
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

function bigintAsNumber(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
