/** The long-running shim: everything is put together here, and taken apart in reverse. */
import { closeSync, readlinkSync, unlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { native } from '../native/binding.ts'
import { PlatformError, errnoOf } from '../proto/errors/platform-error.ts'
import { TtrpcServer } from '../proto/ttrpc/server.ts'
import type { ShimIdentity } from './bootstrap/identity.ts'
import { LISTEN_FD } from './bootstrap/launch-contract.ts'
import { ContainerTable } from './container-table.ts'
import { openDriver } from './driver-factory.ts'
import { EventForwarder } from './event-forwarder.ts'
import { EventPublisher } from './event-publisher.ts'
import { FdChannel } from './fd-channel.ts'
import { FdListener } from './fd-listener.ts'
import { FifoLog, type Log } from './log.ts'
import { Outbox } from './outbox.ts'
import { ShutdownSignal } from './shutdown-signal.ts'
import { TASK_DEFINITIONS, TaskService } from './task-service.ts'

/** What the last events may take once the daemon has asked us to go; what is left stays in the bundle. */
const LAST_EVENTS_TIMEOUT_MS = 3000

/**
 * Serves the task service until the daemon wants the shim gone.
 *
 * @param bundle the working directory, a bundle of the group's first container
 * @param socketPath where it listens; removed at the end
 */
export async function serve(
  identity: ShimIdentity,
  bundle: string,
  socketPath: string,
): Promise<number> {
  const log = new FifoLog(join(bundle, 'log'), { isDebug: identity.isDebug })
  keepRunning(log)
  native().setChildSubreaper()
  native().reapOrphans()
  const outbox = Outbox.open(bundle)
  const forwarder =
    identity.ttrpcAddress === undefined ? undefined : new EventForwarder(identity.ttrpcAddress)
  const events = new EventPublisher({
    outbox,
    namespace: identity.namespace,
    deliver: forwarder === undefined ? undefined : (...args) => forwarder.forward(...args),
    log,
  })
  events.resume()
  const containers = new ContainerTable()
  const shutdown = new ShutdownSignal(() => containers.isEmpty)
  const server = new TtrpcServer({
    onConnectionError: (error) => {
      log.write('warning', 'closed a connection', { error: error.message })
    },
  })
  const service = new TaskService({
    containers,
    events,
    log,
    openDriver: (directory, options) =>
      openDriver({
        identity,
        bundle: directory,
        options,
        socketDirectory: dirname(socketPath),
        log,
      }),
    onShutdown: () => {
      shutdown.request()
    },
  })
  for (const definition of TASK_DEFINITIONS) server.register(definition, service)
  const listener = listen(server, shutdown, log)
  log.write('debug', 'serving', { id: identity.id, namespace: identity.namespace })

  await shutdown.requested
  listener.close()
  removeSocket(socketPath)
  await server.close()
  await events.stop(LAST_EVENTS_TIMEOUT_MS)
  await forwarder?.[Symbol.asyncDispose]()
  outbox.close()
  return 0
}

/** The listening socket was made by `start`; the kernel has queued who came since. */
function listen(server: TtrpcServer, shutdown: ShutdownSignal, log: Log): FdListener {
  if (!isSocket(LISTEN_FD)) {
    throw new PlatformError('failedPrecondition', {
      action: 'serve',
      found: `no socket at descriptor ${String(LISTEN_FD)}`,
      wanted: 'to be started by the start command',
    })
  }
  const onConnection = (fd: number): void => {
    const { uid } = native().peerCredentials(fd)
    // The socket's mode keeps others out; this is the second lock.
    if (uid !== process.getuid?.()) {
      log.write('warning', 'refused a connection', { uid })
      closeSync(fd)
      return
    }
    const channel = new FdChannel(fd)
    shutdown.connectionOpened()
    channel.once('close', () => {
      shutdown.connectionClosed()
    })
    server.serveSocket(channel)
  }
  return new FdListener(LISTEN_FD, onConnection, (error) => {
    log.write('error', 'cannot accept a connection', { error: String(error) })
  })
}

function isSocket(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${String(fd)}`).startsWith('socket:')
  } catch {
    return false
  }
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/**
 * Nothing but the daemon's request ends a shim: its containers would lose their terminal and input. SIGUSR1
 * must have a handler, or the engine would open an inspector on it.
 */
function keepRunning(log: Log): void {
  for (const signal of [
    'SIGTERM',
    'SIGINT',
    'SIGHUP',
    'SIGQUIT',
    'SIGUSR1',
    'SIGUSR2',
    'SIGPIPE',
  ] as const) {
    process.on(signal, () => {
      log.write('debug', 'ignored a signal', { signal })
    })
  }
  const report = (error: unknown): void => {
    log.write('error', 'a fault in the shim', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  }
  process.on('uncaughtException', report)
  process.on('unhandledRejection', report)
}
