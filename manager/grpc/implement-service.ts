import type * as grpc from '@grpc/grpc-js'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { callContextFromMetadata, type CallContext } from './call-context.ts'
import type { OpenCalls } from './open-calls.ts'
import type {
  GenericServiceDefinition,
  MessageCodec,
  MethodDefinition,
  ServiceHandlers,
} from './service-definition.ts'
import { streamRequests, streamResponses } from './streams.ts'
import { toStatus, type CallFailure } from './status.ts'

/** A service in the form the server takes, not yet bound to a server. */
export interface ServiceImplementation {
  /** `containerd.services.content.v1.Content` */
  readonly fullName: string
  readonly definition: grpc.ServiceDefinition
  /** The handlers, with failures reported to `report` beside the client, and their calls entered in `calls`. */
  bind(report: CallReporter, calls: OpenCalls): grpc.UntypedServiceImplementation
}

export interface CallReporter {
  /** A failure that is no PlatformError. */
  bug(method: string, error: unknown): void
  failed(method: string, failure: CallFailure): void
}

type AnyMessage = object
type AnyHandler = (input: unknown, context: CallContext) => unknown

/**
 * Turns a generated generic definition and its handlers (keyed by the camelCase method name) into a
 * service. A missing method is a compile error unless it is listed in `unimplemented`.
 *
 * `handlers` is usually an instance of the service's class; `this` is kept.
 */
export function implementService<
  const Definition extends GenericServiceDefinition,
  const Unimplemented extends keyof Definition['methods'] = never,
>(
  definition: Definition,
  handlers: ServiceHandlers<Definition, Unimplemented>,
  options: { readonly unimplemented?: readonly Unimplemented[] } = {},
): ServiceImplementation {
  const unimplemented = new Set<PropertyKey>(options.unimplemented ?? [])
  const methods = Object.entries<MethodDefinition>(definition.methods)
  // Inside, messages are opaque: the types above have tied each handler to its codecs.
  const table = handlers as Readonly<Record<string, AnyHandler>>
  return {
    fullName: definition.fullName,
    definition: Object.fromEntries(
      methods.map(([key, method]) => [key, wireDefinition(definition.fullName, method)]),
    ),
    bind: (report, calls) =>
      Object.fromEntries(
        methods.map(([key, method]) => {
          const path = `${definition.fullName}/${method.name}`
          const handler: AnyHandler = unimplemented.has(key)
            ? refuse(path, method.responseStream)
            : (input, context) => table[key]?.call(handlers, input, context)
          return [key, bindMethod(path, method, handler, report, calls)]
        }),
      ),
  }
}

function refuse(path: string, responseStream: boolean): AnyHandler {
  const failure = (): PlatformError =>
    new PlatformError('unimplemented', { action: 'call', subject: path, found: 'not implemented' })
  return responseStream
    ? () => {
        throw failure()
      }
    : () => Promise.reject(failure())
}

function wireDefinition(
  fullName: string,
  method: MethodDefinition,
): grpc.MethodDefinition<AnyMessage, AnyMessage> {
  const request = method.requestType as MessageCodec<AnyMessage>
  const response = method.responseType as MessageCodec<AnyMessage>
  return {
    path: `/${fullName}/${method.name}`,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: (message) => Buffer.from(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => toBuffer(response.encode(message).finish()),
    responseDeserialize: (bytes) => response.decode(bytes),
  }
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function bindMethod(
  path: string,
  method: MethodDefinition,
  handler: AnyHandler,
  report: CallReporter,
  calls: OpenCalls,
): grpc.UntypedHandleCall {
  const fail = (error: unknown, signal: AbortSignal): CallFailure => {
    const cause =
      signal.aborted && !(error instanceof PlatformError) ? abortFailure(path, error) : error
    const failure = toStatus(cause, (bug) => {
      report.bug(path, bug)
    })
    report.failed(path, failure)
    return failure
  }
  if (!method.requestStream && !method.responseStream) {
    const unary: grpc.handleUnaryCall<AnyMessage, AnyMessage> = (call, callback) => {
      const { context, controller } = openCall(call)
      const answer = async (): Promise<void> => {
        try {
          callback(null, (await handler(call.request, context)) as AnyMessage)
        } catch (error) {
          callback(fail(error, controller.signal))
        }
      }
      calls.add(controller, answer())
    }
    return unary
  }
  if (!method.requestStream) {
    const serverStream: grpc.handleServerStreamingCall<AnyMessage, AnyMessage> = (call) => {
      const { context, controller } = openCall(call)
      const answered = streamResponses(
        call,
        controller.signal,
        () => handler(call.request, context) as AsyncIterable<AnyMessage>,
        fail,
      )
      calls.add(controller, answered)
    }
    return serverStream
  }
  const bidirectional: grpc.handleBidiStreamingCall<AnyMessage, AnyMessage> = (call) => {
    const { context, controller } = openCall(call)
    const answered = streamResponses(
      call,
      controller.signal,
      () => handler(streamRequests(call), context) as AsyncIterable<AnyMessage>,
      fail,
    )
    calls.add(controller, answered)
  }
  return bidirectional
}

function abortFailure(path: string, cause: unknown): PlatformError {
  return new PlatformError(
    'canceled',
    { action: 'call', subject: path, found: 'canceled' },
    { cause },
  )
}

/** What the three kinds of calls have in common. */
interface AnyCall {
  readonly cancelled: boolean
  readonly metadata: grpc.Metadata
  getDeadline(): grpc.Deadline
  once(event: string, listener: () => void): unknown
}

function openCall(call: AnyCall): { context: CallContext; controller: AbortController } {
  const controller = new AbortController()
  call.once('cancelled', () => {
    controller.abort(new PlatformError('canceled', 'the client went away'))
  })
  if (call.cancelled) controller.abort(new PlatformError('canceled', 'the client went away'))
  return {
    context: callContextFromMetadata(call.metadata, controller.signal, deadlineOf(call)),
    controller,
  }
}

function deadlineOf(call: AnyCall): number | undefined {
  const deadline = call.getDeadline()
  const deadlineMs = deadline instanceof Date ? deadline.getTime() : deadline
  return Number.isFinite(deadlineMs) ? deadlineMs : undefined
}
