/**
 * What the ttrpc client and server need of the service definitions that ts-proto generates, and the
 * types that follow from one.
 */
import type { BinaryWriter } from '@bufbuild/protobuf/wire'

export interface MessageCodec<T> {
  encode(message: T): BinaryWriter
  decode(input: Uint8Array): T
}

export interface MethodDefinition {
  readonly name: string
  readonly requestType: MessageCodec<unknown>
  readonly requestStream: boolean
  readonly responseType: MessageCodec<unknown>
  readonly responseStream: boolean
}

/** A generated `XxxDefinition`. */
export interface ServiceDefinition {
  /** With the package, as it stands in requests. */
  readonly fullName: string
  readonly methods: Readonly<Record<string, MethodDefinition>>
}

export type MethodKey<D extends ServiceDefinition> = keyof D['methods'] & string

type MessageOf<C> = C extends { decode(input: Uint8Array): infer T } ? T : never

export type RequestOf<D extends ServiceDefinition, K extends MethodKey<D>> = MessageOf<
  D['methods'][K]['requestType']
>

export type ResponseOf<D extends ServiceDefinition, K extends MethodKey<D>> = MessageOf<
  D['methods'][K]['responseType']
>

/** What a handler knows about the call beside the request. */
export interface CallContext {
  /** The first value of each key. */
  readonly metadata: ReadonlyMap<string, string>
  /** Aborted when the deadline passes, the peer goes away or the server closes. */
  readonly signal: AbortSignal
  /** In milliseconds of `performance.now()`, when the caller set a timeout. */
  readonly deadlineMs?: number
}

/** One function per method of the service, by its key in the definition. */
export type Handlers<D extends ServiceDefinition> = {
  readonly [K in MethodKey<D>]: (
    request: RequestOf<D, K>,
    context: CallContext,
  ) => Promise<ResponseOf<D, K>>
}
