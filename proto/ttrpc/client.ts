/** The calling side of ttrpc: unary calls, any number at a time, over one connection. */
import { Request, Response } from '../generated/ttrpc/message.ts'
import { PlatformError, wrapSystemError } from '../errors/platform-error.ts'
import { bufferView } from './bytes.ts'
import type { ByteChannel } from './byte-channel.ts'
import type { MethodKey, RequestOf, ResponseOf, ServiceDefinition } from './definition.ts'
import { FRAME_TYPE, MAX_DATA_BYTES, encodeFrame, type Frame } from './frame.ts'
import { FrameReader, type ReadItem } from './frame-reader.ts'
import { errorFromResponse } from './status.ts'

export interface ConnectOptions {
  /** Default 5000. */
  readonly timeoutMs?: number
}

export interface CallOptions {
  /** Sent to the peer, and kept on our side too in case it does not. Without it the call may wait for ever. */
  readonly timeoutMs?: number
  readonly metadata?: ReadonlyMap<string, string>
  readonly signal?: AbortSignal
}

interface PendingCall {
  readonly name: string
  readonly resolve: (payload: Uint8Array) => void
  readonly reject: (error: PlatformError) => void
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5000
const MAX_STREAM_ID = 0xffff_ffff
const NANOS_PER_MILLI = 1_000_000n

export class TtrpcClient {
  readonly #socket: ByteChannel
  readonly #reader = new FrameReader()
  readonly #pending = new Map<number, PendingCall>()
  readonly #closed: Promise<PlatformError>
  #nextStreamId = 1
  #failure: PlatformError | undefined

  /** Takes over a connected stream. */
  constructor(socket: ByteChannel) {
    this.#socket = socket
    socket.on('error', (error) => {
      this.#fail(wrapSystemError(error, { action: 'talk to ttrpc peer' }))
    })
    socket.on('end', () => socket.destroy())
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve(
          this.#fail(new PlatformError('unavailable', 'the ttrpc peer closed the connection')),
        )
      })
    })
    socket.on('data', (chunk: Uint8Array) => {
      for (const item of this.#reader.push(chunk)) this.#receive(item)
    })
  }

  /** @throws unavailable, notFound (no such socket), deadlineExceeded */
  static async connect(path: string, options: ConnectOptions = {}): Promise<TtrpcClient> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS
    // Not everybody who calls over a channel of his own wants to load it.
    const { createConnection } = await import('node:net')
    const socket = createConnection({ path })
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        socket.destroy()
        const found = `no answer after ${String(timeoutMs)} ms`
        reject(new PlatformError('deadlineExceeded', { action: 'connect to', path, found }))
      }, timeoutMs)
      const onError = (error: unknown): void => {
        clearTimeout(timer)
        reject(wrapSystemError(error, { action: 'connect to', path }))
      }
      socket.once('error', onError)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', onError)
        resolve()
      })
    })
    return new TtrpcClient(socket)
  }

  /** Calls back once, when the connection has ended, with the reason; at once if it has ended already. */
  onClose(listener: (reason: PlatformError) => void): void {
    void this.#closed.then(listener)
  }

  get isClosed(): boolean {
    return this.#failure !== undefined
  }

  /**
   * @throws what the peer reports; unavailable when the connection ends; deadlineExceeded; canceled;
   *   resourceExhausted when request or response is over 4 MiB
   */
  async call<D extends ServiceDefinition, K extends MethodKey<D>>(
    definition: D,
    method: K,
    request: RequestOf<D, K>,
    options: CallOptions = {},
  ): Promise<ResponseOf<D, K>> {
    const methodDefinition = definition.methods[method]
    if (methodDefinition === undefined) {
      throw new PlatformError('unimplemented', `call ${definition.fullName}/${method}`)
    }
    const name = `${definition.fullName}/${methodDefinition.name}`
    const data = Request.encode({
      service: definition.fullName,
      method: methodDefinition.name,
      payload: bufferView(methodDefinition.requestType.encode(request).finish()),
      timeoutNano:
        options.timeoutMs === undefined
          ? 0n
          : BigInt(Math.ceil(options.timeoutMs)) * NANOS_PER_MILLI,
      metadata: [...(options.metadata ?? [])].map(([key, value]) => ({ key, value })),
    }).finish()
    const payload = await this.#exchange(name, data, options)
    try {
      return methodDefinition.responseType.decode(payload) as ResponseOf<D, K>
    } catch (cause) {
      const found = 'an answer that does not decode'
      throw new PlatformError('internal', { action: `call ${name}`, found }, { cause })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new PlatformError('canceled', 'the ttrpc connection was closed on this side'))
    await this.#closed
  }

  #exchange(
    name: string,
    data: Uint8Array,
    { timeoutMs, signal }: CallOptions,
  ): Promise<Uint8Array> {
    const early = this.#refusal(name, data, signal)
    if (early !== undefined) return Promise.reject(early)
    const streamId = this.#nextStreamId
    this.#nextStreamId += 2
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => {
              const found = `no answer after ${String(timeoutMs)} ms`
              const error = new PlatformError('deadlineExceeded', { action: `call ${name}`, found })
              this.#pending.get(streamId)?.reject(error)
            }, timeoutMs)
      const onAbort = (): void => {
        const error = new PlatformError('canceled', `call ${name}`, { cause: signal?.reason })
        this.#pending.get(streamId)?.reject(error)
      }
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#pending.delete(streamId)
      }
      this.#pending.set(streamId, {
        name,
        resolve: (payload) => {
          settle()
          resolve(payload)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      })
      signal?.addEventListener('abort', onAbort)
      this.#socket.write(encodeFrame({ streamId, type: FRAME_TYPE.request, flags: 0, data }))
    })
  }

  /** Why a call cannot even be sent. */
  #refusal(name: string, data: Uint8Array, signal?: AbortSignal): PlatformError | undefined {
    if (this.#failure !== undefined) return this.#failure
    const action = `call ${name}`
    if (signal?.aborted === true)
      return new PlatformError('canceled', action, { cause: signal.reason })
    if (data.byteLength > MAX_DATA_BYTES) {
      return new PlatformError('resourceExhausted', {
        action,
        found: `a request of ${String(data.byteLength)} bytes`,
        wanted: `at most ${String(MAX_DATA_BYTES)}`,
      })
    }
    if (this.#nextStreamId > MAX_STREAM_ID) {
      return new PlatformError('unavailable', {
        action,
        found: 'all stream ids of the connection used',
      })
    }
    return undefined
  }

  #receive(item: ReadItem): void {
    switch (item.kind) {
      case 'malformed':
        this.#fail(
          new PlatformError('unavailable', { action: 'read from ttrpc peer', found: item.reason }),
        )
        return
      case 'oversized': {
        const call = this.#pending.get(item.streamId)
        call?.reject(
          new PlatformError('resourceExhausted', {
            action: `call ${call.name}`,
            found: `an answer of ${String(item.dataBytes)} bytes`,
            wanted: `at most ${String(MAX_DATA_BYTES)}`,
          }),
        )
        return
      }
      case 'frame':
        this.#receiveFrame(item.frame)
        return
    }
  }

  #receiveFrame({ streamId, type, data }: Frame): void {
    // Answers to calls that were given up arrive late: nobody waits for them.
    const call = this.#pending.get(streamId)
    if (call === undefined) return
    if (type !== FRAME_TYPE.response) {
      const found = `frame type ${String(type)} for a unary call`
      call.reject(new PlatformError('internal', { action: `call ${call.name}`, found }))
      return
    }
    let response: Response
    try {
      response = Response.decode(data)
    } catch (cause) {
      const found = 'an answer that is not protobuf'
      call.reject(new PlatformError('internal', { action: `call ${call.name}`, found }, { cause }))
      return
    }
    if (response.status !== undefined && response.status.code !== 0) {
      call.reject(errorFromResponse(response.status, response.failure))
      return
    }
    call.resolve(response.payload)
  }

  /** Ends the connection; the first reason given is the one that counts. */
  #fail(reason: PlatformError): PlatformError {
    this.#failure ??= reason
    this.#socket.destroy()
    for (const call of [...this.#pending.values()]) call.reject(this.#failure)
    return this.#failure
  }
}
