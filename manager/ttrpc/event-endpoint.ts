/**
 * The ttrpc socket beside the gRPC one: shims forward their events here.
 * @see containerd-behaviour.md §a, §i (Events)
 */
import { chmodSync, unlinkSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { dirname } from 'node:path'
import {
  EventsDefinition,
  type ForwardRequest,
} from '../../proto/generated/containerd/services/ttrpc/events/v1/events.ts'
import type { Empty } from '../../proto/generated/google/protobuf/empty.ts'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { CallContext } from '../../proto/ttrpc/definition.ts'
import { TtrpcServer } from '../../proto/ttrpc/server.ts'
import type { EventEnvelope } from '../events/event-hub.ts'
import { timestampFromProto } from '../metadata/timestamp.ts'
import type { Log } from '../shims/ports.ts'
import { reasonOf } from '../shims/reason.ts'

export interface EventEndpointOptions {
  /** Absolute path of the socket. The caller holds the lock that makes a left-over socket ours to remove. */
  readonly path: string
  /** Returns when the event cannot be lost any more; only then the shim forgets it. */
  readonly receive: (envelope: EventEnvelope, sequence: bigint | undefined) => void
  readonly log: Log
}

/** Metadata in which our shims number the events of one bundle: delivery is at least once. */
const SEQUENCE_METADATA = 'berth-event-sequence'
const SOCKET_MODE = 0o600

export class EventEndpoint {
  readonly #listener: Server
  readonly #rpc: TtrpcServer
  readonly #path: string

  private constructor(listener: Server, rpc: TtrpcServer, path: string) {
    this.#listener = listener
    this.#rpc = rpc
    this.#path = path
  }

  static async listen(options: EventEndpointOptions): Promise<EventEndpoint> {
    const { path, log } = options
    const rpc = new TtrpcServer({
      onConnectionError: (error) => {
        log.warn({ reason: reasonOf(error) }, 'a shim was disconnected')
      },
    })
    rpc.register(EventsDefinition, {
      forward: (request, context) => forward(request, context, options),
    })
    const listener = createServer((socket) => {
      rpc.serveSocket(socket)
    })
    await mkdir(dirname(path), { recursive: true, mode: 0o711 })
    if (await answers(path)) {
      throw new PlatformError('alreadyExists', {
        action: 'listen',
        path,
        found: 'another process that serves this socket',
        wanted: 'a free path',
        hint: 'stop it, or choose another --address',
      })
    }
    removeSocket(path)
    // Born with its final mode, so that there is no moment in which somebody else could connect.
    const previousUmask = process.umask(0o777 & ~SOCKET_MODE)
    try {
      await new Promise<void>((resolve, reject) => {
        listener.once('error', reject)
        listener.listen({ path }, resolve)
      })
      chmodSync(path, SOCKET_MODE)
    } catch (error) {
      throw wrapSystemError(error, { action: 'listen', path })
    } finally {
      process.umask(previousUmask)
    }
    return new EventEndpoint(listener, rpc, path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#listener.close(() => {
        resolve()
      })
    })
    await this.#rpc.close()
    await closed
    removeSocket(this.#path)
  }
}

async function forward(
  { envelope }: ForwardRequest,
  { metadata }: CallContext,
  { receive }: EventEndpointOptions,
): Promise<Empty> {
  const { timestamp, namespace, topic, event } = envelope ?? {}
  if (
    timestamp === undefined ||
    event === undefined ||
    namespace === undefined ||
    topic === undefined
  ) {
    throw new PlatformError('invalidArgument', {
      action: 'forward event',
      found: 'an envelope that is not complete',
      wanted: 'timestamp, namespace, topic and event',
    })
  }
  const timestampNs = timestampFromProto(timestamp)
  receive({ timestampNs, namespace, topic, event }, parseSequence(metadata.get(SEQUENCE_METADATA)))
  return {}
}

function parseSequence(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9]{1,19}$/.test(text) ? BigInt(text) : undefined
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') {
      throw wrapSystemError(error, { action: 'remove the socket', path })
    }
  }
}
