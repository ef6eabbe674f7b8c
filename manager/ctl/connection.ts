/**
 * Typed calls to the manager: one gRPC channel, clients made from the generated generic definitions.
 */
import * as grpc from '@grpc/grpc-js'
import { LEASE_HEADER, NAMESPACE_HEADER } from '../grpc/call-context.ts'
import { failureFromGrpc } from './failure.ts'

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array }
  decode(input: Uint8Array): T
}

interface Method {
  readonly name: string
  readonly requestType: Codec<unknown>
  readonly requestStream: boolean
  readonly responseType: Codec<unknown>
  readonly responseStream: boolean
}

interface Definition {
  readonly fullName: string
  readonly methods: Readonly<Record<string, Method>>
}

type MessageOf<C> = C extends { decode(input: Uint8Array): infer T } ? T : never
/** Absent fields get their default. */
type RequestOf<M extends Method> = Partial<MessageOf<M['requestType']>>
type ResponseOf<M extends Method> = MessageOf<M['responseType']>

export interface CallOptions {
  readonly leaseId?: string | undefined
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

/** Both halves of a bidirectional call. */
export interface DuplexCall<Request, Response> extends AsyncIterable<Response> {
  /** Resolves when there is room for the next message. */
  send(request: Request): Promise<void>
  /** No more requests. */
  end(): void
  /** Gives the call up. */
  cancel(): void
}

type Caller<M extends Method> = M['responseStream'] extends true
  ? M['requestStream'] extends true
    ? (options?: CallOptions) => DuplexCall<RequestOf<M>, ResponseOf<M>>
    : (request: RequestOf<M>, options?: CallOptions) => AsyncIterable<ResponseOf<M>>
  : (request: RequestOf<M>, options?: CallOptions) => Promise<ResponseOf<M>>

export type ServiceClient<D extends Definition> = {
  readonly [K in keyof D['methods']]: Caller<D['methods'][K]>
}

type Message = Readonly<Record<string, unknown>>

interface WireMethod {
  readonly path: string
  readonly encode: (request: Message) => Buffer
  readonly decode: (bytes: Buffer) => Message
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

export class Connection {
  readonly address: string
  readonly namespace: string
  readonly #client: grpc.Client

  /** Connects when the first call is made. */
  constructor(address: string, namespace: string) {
    this.address = address
    this.namespace = namespace
    this.#client = new grpc.Client(`unix:${address}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.default_authority': 'localhost',
    })
  }

  service<D extends Definition>(definition: D): ServiceClient<D> {
    const callers = Object.entries<Method>(definition.methods).map(([key, method]) => [
      key,
      this.#caller(wireMethod(definition.fullName, method), method),
    ])
    // The entries are made from the definition's own, so they fit its type.
    return Object.fromEntries(callers) as ServiceClient<D>
  }

  close(): void {
    this.#client.close()
  }

  #caller(wire: WireMethod, { requestStream, responseStream }: Method): unknown {
    if (requestStream) return (options?: CallOptions) => this.#duplex(wire, options)
    return responseStream
      ? (request: Message, options?: CallOptions) => this.#serverStream(wire, request, options)
      : (request: Message, options?: CallOptions) => this.#unary(wire, request, options)
  }

  #unary(wire: WireMethod, request: Message, options: CallOptions = {}): Promise<Message> {
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        wire.path,
        wire.encode,
        wire.decode,
        request,
        this.#metadata(options),
        callOptions(options),
        (error, response) => {
          if (error !== null) reject(failureFromGrpc(error, this.address))
          else if (response !== undefined) resolve(response)
        },
      )
      cancelOn(options.signal, call)
    })
  }

  async *#serverStream(
    wire: WireMethod,
    request: Message,
    options: CallOptions = {},
  ): AsyncGenerator<Message> {
    const call = this.#client.makeServerStreamRequest(
      wire.path,
      wire.encode,
      wire.decode,
      request,
      this.#metadata(options),
      callOptions(options),
    )
    cancelOn(options.signal, call)
    yield* this.#responses(call)
  }

  #duplex(wire: WireMethod, options: CallOptions = {}): DuplexCall<Message, Message> {
    const call = this.#client.makeBidiStreamRequest(
      wire.path,
      wire.encode,
      wire.decode,
      this.#metadata(options),
      callOptions(options),
    )
    cancelOn(options.signal, call)
    const responses = this.#responses(call)
    return {
      [Symbol.asyncIterator]: () => responses,
      send: async (request) => {
        if (call.write(request)) return
        await new Promise<void>((resolve) => {
          call.once('drain', resolve)
          // A failed call drains no more; whoever reads the responses hears why.
          call.once('close', resolve)
          call.once('error', () => {
            resolve()
          })
        })
      },
      end: () => {
        call.end()
      },
      cancel: () => {
        call.cancel()
      },
    }
  }

  async *#responses(call: AsyncIterable<unknown> & { cancel(): void }): AsyncGenerator<Message> {
    try {
      for await (const response of call) yield response as Message
    } catch (error) {
      throw failureFromGrpc(error, this.address)
    } finally {
      call.cancel()
    }
  }

  #metadata({ leaseId }: CallOptions): grpc.Metadata {
    const metadata = new grpc.Metadata()
    metadata.set(NAMESPACE_HEADER, this.namespace)
    if (leaseId !== undefined) metadata.set(LEASE_HEADER, leaseId)
    return metadata
  }
}

function wireMethod(fullName: string, method: Method): WireMethod {
  const request = method.requestType as unknown as {
    fromPartial(message: Message): Message
  } & Codec<Message>
  const response = method.responseType as unknown as Codec<Message>
  return {
    path: `/${fullName}/${method.name}`,
    encode: (message) => Buffer.from(request.encode(request.fromPartial(message)).finish()),
    decode: (bytes) => response.decode(bytes),
  }
}

function callOptions({ timeoutMs }: CallOptions): grpc.CallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs }
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): void {
  if (signal?.aborted === true) call.cancel()
  signal?.addEventListener('abort', () => {
    call.cancel()
  })
}
