/** The serving side of ttrpc: unary methods over any duplex byte stream. */
import { Request, Response } from '../generated/ttrpc/message.ts'
import { PlatformError } from '../errors/platform-error.ts'
import { bufferView } from './bytes.ts'
import type { ByteChannel } from './byte-channel.ts'
import type { CallContext, Handlers, MethodDefinition, ServiceDefinition } from './definition.ts'
import { FRAME_TYPE, MAX_DATA_BYTES, encodeFrame, type Frame } from './frame.ts'
import { FrameReader, type ReadItem } from './frame-reader.ts'
import { responseFromError } from './status.ts'

export interface TtrpcServerOptions {
  /** Calls one connection may have open; more are refused with resourceExhausted. Default 4096. */
  readonly maxCallsPerConnection?: number
  /** Told why a connection was closed from our side. */
  readonly onConnectionError?: (error: PlatformError) => void
}

type Handler = (request: unknown, context: CallContext) => Promise<unknown>

interface Route {
  readonly definition: MethodDefinition
  readonly handler: Handler
}

const DEFAULT_MAX_CALLS = 4096
/** Unread answers a peer may leave with us before it counts as gone. */
const MAX_UNREAD_BYTES = 4 * MAX_DATA_BYTES
/** setTimeout fires at once beyond this; such a deadline is none. */
const MAX_TIMER_MS = 0x7fff_ffff
const NANOS_PER_MILLI = 1_000_000n

export class TtrpcServer {
  readonly #options: TtrpcServerOptions
  readonly #routes = new Map<string, Route>()
  readonly #connections = new Set<Connection>()
  #isClosed = false

  constructor(options: TtrpcServerOptions = {}) {
    this.#options = options
  }

  /** Serves all methods of one service; a later registration of the same service replaces it. */
  register<D extends ServiceDefinition>(definition: D, handlers: Handlers<D>): void {
    const byKey: Readonly<Record<string, Handler>> = handlers as Readonly<Record<string, Handler>>
    for (const [key, method] of Object.entries(definition.methods)) {
      const handler = byKey[key]
      if (handler === undefined) continue
      this.#routes.set(`${definition.fullName}/${method.name}`, {
        definition: method,
        handler: (request, context) => handler.call(handlers, request, context),
      })
    }
  }

  /** Serves a connected peer until it goes away. The socket belongs to the server from now on. */
  serveSocket(socket: ByteChannel): void {
    if (this.#isClosed) {
      socket.destroy()
      return
    }
    const connection = new Connection(socket, this.#routes, this.#options)
    this.#connections.add(connection)
    void connection.closed.then(() => this.#connections.delete(connection))
  }

  /** Aborts what is running, flushes what was answered and closes all connections. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#connections].map((connection) => connection.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

class Connection {
  readonly closed: Promise<void>
  readonly #socket: ByteChannel
  readonly #routes: ReadonlyMap<string, Route>
  readonly #options: TtrpcServerOptions
  readonly #reader = new FrameReader()
  readonly #calls = new Map<number, AbortController>()
  #lastStreamId = 0

  constructor(
    socket: ByteChannel,
    routes: ReadonlyMap<string, Route>,
    options: TtrpcServerOptions,
  ) {
    this.#socket = socket
    this.#routes = routes
    this.#options = options
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#abortCalls('the peer closed the connection')
        resolve()
      })
    })
    // A reset by the peer needs no report: 'close' follows and aborts the calls.
    socket.on('error', () => socket.destroy())
    socket.on('end', () => socket.destroy())
    socket.on('data', (chunk: Uint8Array) => {
      for (const item of this.#reader.push(chunk)) this.#receive(item)
    })
  }

  async close(): Promise<void> {
    this.#abortCalls('the server is closing')
    if (this.#socket.closed) return
    // destroySoon semantics: what was answered leaves first, but nobody can hold us by not reading.
    const giveUp = setTimeout(() => this.#socket.destroy(), 500)
    this.#socket.end(() => this.#socket.destroy())
    await this.closed
    clearTimeout(giveUp)
  }

  #abortCalls(reason: string): void {
    for (const controller of this.#calls.values()) {
      controller.abort(new PlatformError('canceled', { action: 'serve ttrpc call', found: reason }))
    }
    this.#calls.clear()
  }

  #receive(item: ReadItem): void {
    if (this.#socket.destroyed) return
    switch (item.kind) {
      case 'malformed':
        this.#fail(item.reason)
        return
      case 'oversized':
        if (!this.#openStream(item.streamId, item.type)) return
        this.#refuse(
          item.streamId,
          new PlatformError('resourceExhausted', {
            action: 'read ttrpc request',
            found: `${String(item.dataBytes)} bytes`,
            wanted: `at most ${String(MAX_DATA_BYTES)}`,
          }),
        )
        return
      case 'frame':
        if (item.frame.type === FRAME_TYPE.data) {
          // All our methods are unary, so no stream of ours takes data.
          this.#refuse(
            item.frame.streamId,
            new PlatformError('invalidArgument', {
              action: 'read ttrpc data frame',
              found: `stream ${String(item.frame.streamId)}, which takes no data`,
            }),
          )
          return
        }
        if (this.#openStream(item.frame.streamId, item.frame.type)) this.#dispatch(item.frame)
        return
    }
  }

  /** Checks the rules for a new stream; a peer that breaks them is disconnected. */
  #openStream(streamId: number, type: number): boolean {
    if (type !== FRAME_TYPE.request) {
      this.#fail(`found frame type ${String(type)} on stream ${String(streamId)}, want a request`)
      return false
    }
    if (streamId % 2 !== 1) {
      this.#fail(`found stream id ${String(streamId)}, want an odd one`)
      return false
    }
    if (streamId <= this.#lastStreamId) {
      this.#fail(
        `found stream id ${String(streamId)}, want more than ${String(this.#lastStreamId)}`,
      )
      return false
    }
    this.#lastStreamId = streamId
    return true
  }

  #dispatch({ streamId, data }: Frame): void {
    let request: Request
    try {
      request = Request.decode(data)
    } catch (error) {
      this.#fail(`found a request that is not protobuf: ${String(error)}`)
      return
    }
    const name = `${request.service}/${request.method}`
    const limit = this.#options.maxCallsPerConnection ?? DEFAULT_MAX_CALLS
    if (this.#calls.size >= limit) {
      const found = `${String(limit)} open calls on this connection`
      this.#refuse(
        streamId,
        new PlatformError('resourceExhausted', { action: `call ${name}`, found }),
      )
      return
    }
    const route = this.#routes.get(name)
    if (route === undefined || route.definition.requestStream || route.definition.responseStream) {
      this.#refuse(streamId, new PlatformError('unimplemented', { action: `call ${name}` }))
      return
    }
    void this.#run(streamId, name, request, route)
  }

  async #run(streamId: number, name: string, request: Request, route: Route): Promise<void> {
    const controller = new AbortController()
    this.#calls.set(streamId, controller)
    const timeoutMs =
      request.timeoutNano > 0n ? Number(request.timeoutNano / NANOS_PER_MILLI) + 1 : undefined
    const timer =
      timeoutMs === undefined || timeoutMs > MAX_TIMER_MS
        ? undefined
        : setTimeout(() => {
            const found = `no answer after ${String(timeoutMs)} ms`
            const error = new PlatformError('deadlineExceeded', { action: `call ${name}`, found })
            this.#answer(streamId, responseFromError(error, name))
            controller.abort(error)
          }, timeoutMs)
    try {
      const context: CallContext = {
        metadata: metadataOf(request),
        signal: controller.signal,
        ...(timeoutMs === undefined ? {} : { deadlineMs: performance.now() + timeoutMs }),
      }
      const decoded = decodePayload(request.payload, route.definition, name)
      const response = await route.handler(decoded, context)
      this.#answer(streamId, {
        status: undefined,
        payload: bufferView(route.definition.responseType.encode(response).finish()),
      })
    } catch (error) {
      this.#answer(streamId, responseFromError(error, `call ${name}`))
    } finally {
      clearTimeout(timer)
    }
  }

  /** Answers an open call, once. */
  #answer(streamId: number, response: Response): void {
    if (!this.#calls.delete(streamId)) return
    const data = Response.encode(response).finish()
    if (data.byteLength <= MAX_DATA_BYTES) {
      this.#send(streamId, data)
      return
    }
    this.#refuse(
      streamId,
      new PlatformError('resourceExhausted', {
        action: 'send ttrpc response',
        found: `${String(data.byteLength)} bytes`,
        wanted: `at most ${String(MAX_DATA_BYTES)}`,
      }),
    )
  }

  #refuse(streamId: number, error: PlatformError): void {
    this.#send(streamId, Response.encode(responseFromError(error, 'call')).finish())
  }

  #send(streamId: number, data: Uint8Array): void {
    if (!this.#socket.writable) return
    this.#socket.write(encodeFrame({ streamId, type: FRAME_TYPE.response, flags: 0, data }))
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) {
      this.#fail(`found ${String(this.#socket.writableLength)} bytes of answers unread`)
    }
  }

  #fail(reason: string): void {
    this.#options.onConnectionError?.(
      new PlatformError('invalidArgument', { action: 'read from ttrpc peer', found: reason }),
    )
    this.#socket.destroy()
  }
}

function metadataOf(request: Request): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>()
  for (const { key, value } of request.metadata) {
    const name = key.toLowerCase()
    if (!metadata.has(name)) metadata.set(name, value)
  }
  return metadata
}

function decodePayload(payload: Uint8Array, definition: MethodDefinition, name: string): unknown {
  try {
    return definition.requestType.decode(payload)
  } catch (cause) {
    throw new PlatformError(
      'invalidArgument',
      {
        action: `call ${name}`,
        found: 'a payload that does not decode',
        wanted: 'its request message',
      },
      { cause },
    )
  }
}
