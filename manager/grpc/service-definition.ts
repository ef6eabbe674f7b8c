import type { CallContext } from './call-context.ts'

/** What the generated code offers for a message. */
export interface MessageCodec<T> {
  encode(message: T): { finish(): Uint8Array }
  decode(input: Uint8Array): T
}

export interface MethodDefinition {
  readonly name: string
  // `MessageOf` recovers the message type by inference.
  readonly requestType: MessageCodec<unknown>
  readonly requestStream: boolean
  readonly responseType: MessageCodec<unknown>
  readonly responseStream: boolean
}

/** The shape of the generated `XxxDefinition` constants. */
export interface GenericServiceDefinition {
  readonly name: string
  readonly fullName: string
  readonly methods: Readonly<Record<string, MethodDefinition>>
}

type MessageOf<Codec> = Codec extends { decode(input: Uint8Array): infer T } ? T : never

export type UnaryHandler<Request, Response> = (
  request: Request,
  context: CallContext,
) => Promise<Response>

export type ServerStreamHandler<Request, Response> = (
  request: Request,
  context: CallContext,
) => AsyncIterable<Response>

export type BidirectionalHandler<Request, Response> = (
  requests: AsyncIterable<Request>,
  context: CallContext,
) => AsyncIterable<Response>

/** No service of containerd streams only requests, so such a method has no handler shape. */
type HandlerOf<Method extends MethodDefinition> = Method['requestStream'] extends true
  ? Method['responseStream'] extends true
    ? BidirectionalHandler<MessageOf<Method['requestType']>, MessageOf<Method['responseType']>>
    : never
  : Method['responseStream'] extends true
    ? ServerStreamHandler<MessageOf<Method['requestType']>, MessageOf<Method['responseType']>>
    : UnaryHandler<MessageOf<Method['requestType']>, MessageOf<Method['responseType']>>

/** One handler for each method that is not listed as unimplemented. */
export type ServiceHandlers<
  Definition extends GenericServiceDefinition,
  Unimplemented extends keyof Definition['methods'] = never,
> = {
  readonly [Key in Exclude<keyof Definition['methods'], Unimplemented>]: HandlerOf<
    Definition['methods'][Key]
  >
}
