import { once } from 'node:events'
import * as grpc from '@grpc/grpc-js'
import type { GenericServiceDefinition, MessageCodec } from '../service-definition.ts'

type Methods<D extends GenericServiceDefinition> = D['methods']
type RequestOf<D extends GenericServiceDefinition, K extends keyof Methods<D>> = Partial<
  ReturnType<Methods<D>[K]['requestType']['decode']> & object
>
type ResponseOf<D extends GenericServiceDefinition, K extends keyof Methods<D>> = ReturnType<
  Methods<D>[K]['responseType']['decode']
>

interface Codec<T> extends MessageCodec<T> {
  fromPartial(value: unknown): T
}

/** A gRPC client for the tests, typed by the generated definitions. */
export class TestClient {
  readonly #client: grpc.Client

  constructor(address: string) {
    this.#client = new grpc.Client(`unix:${address}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': 16 * 1024 * 1024,
    })
  }

  close(): void {
    this.#client.close()
  }

  unary<D extends GenericServiceDefinition, K extends keyof D['methods'] & string>(
    definition: D,
    key: K,
    request: RequestOf<D, K>,
    metadata = new grpc.Metadata(),
  ): Promise<ResponseOf<D, K>> {
    const { path, encode, decode } = wire<ResponseOf<D, K>>(definition, key)
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, encode, decode, request, metadata, (error, value) => {
        if (error !== null) reject(error)
        else if (value !== undefined) resolve(value)
      })
    })
  }

  serverStream<D extends GenericServiceDefinition, K extends keyof D['methods'] & string>(
    definition: D,
    key: K,
    request: RequestOf<D, K>,
    metadata = new grpc.Metadata(),
  ): grpc.ClientReadableStream<ResponseOf<D, K>> {
    const { path, encode, decode } = wire<ResponseOf<D, K>>(definition, key)
    const call = this.#client.makeServerStreamRequest(path, encode, decode, request, metadata)
    // The tests look at the outcome by other means; an unheard `error` would end the process.
    call.on('error', () => undefined)
    return call
  }

  /** All messages of a stream; rejects with its status. */
  async collect<T>(call: grpc.ClientReadableStream<T>): Promise<readonly T[]> {
    const messages: T[] = []
    for await (const message of call) messages.push(message as T)
    return messages
  }

  async firstMessage(call: grpc.ClientReadableStream<unknown>): Promise<void> {
    await once(call, 'data')
  }

  async closed(call: grpc.ClientReadableStream<unknown>): Promise<void> {
    if (call.closed) return
    await new Promise((resolve) => {
      call.once('close', resolve)
    })
  }

  async bidirectional<D extends GenericServiceDefinition, K extends keyof D['methods'] & string>(
    definition: D,
    key: K,
    requests: readonly RequestOf<D, K>[],
    metadata = new grpc.Metadata(),
  ): Promise<readonly ResponseOf<D, K>[]> {
    const { path, encode, decode } = wire<ResponseOf<D, K>>(definition, key)
    const call = this.#client.makeBidiStreamRequest(path, encode, decode, metadata)
    for (const request of requests) call.write(request)
    call.end()
    const responses: ResponseOf<D, K>[] = []
    for await (const response of call) responses.push(response as ResponseOf<D, K>)
    return responses
  }
}

function wire<Response>(
  definition: GenericServiceDefinition,
  key: string,
): { path: string; encode: (value: unknown) => Buffer; decode: (bytes: Buffer) => Response } {
  const method = definition.methods[key]
  if (method === undefined) throw new Error(`no method ${key}`)
  const requestType = method.requestType as Codec<unknown>
  return {
    path: `/${definition.fullName}/${method.name}`,
    encode: (value) => Buffer.from(requestType.encode(requestType.fromPartial(value)).finish()),
    decode: (bytes) => method.responseType.decode(bytes) as Response,
  }
}
