import { Metadata, status as grpcStatus, type ServiceError } from '@grpc/grpc-js'
import { PlatformError, type ErrorCode } from '../../proto/errors/platform-error.ts'

/** What a failed call carries to the client. */
export type CallFailure = Pick<ServiceError, 'code' | 'details' | 'metadata'>

/** The gRPC class of every failure; a code without a row fails to compile. */
const GRPC_STATUS = {
  canceled: grpcStatus.CANCELLED,
  unknown: grpcStatus.UNKNOWN,
  invalidArgument: grpcStatus.INVALID_ARGUMENT,
  deadlineExceeded: grpcStatus.DEADLINE_EXCEEDED,
  notFound: grpcStatus.NOT_FOUND,
  alreadyExists: grpcStatus.ALREADY_EXISTS,
  permissionDenied: grpcStatus.PERMISSION_DENIED,
  resourceExhausted: grpcStatus.RESOURCE_EXHAUSTED,
  failedPrecondition: grpcStatus.FAILED_PRECONDITION,
  aborted: grpcStatus.ABORTED,
  outOfRange: grpcStatus.OUT_OF_RANGE,
  unimplemented: grpcStatus.UNIMPLEMENTED,
  internal: grpcStatus.INTERNAL,
  unavailable: grpcStatus.UNAVAILABLE,
  dataLoss: grpcStatus.DATA_LOSS,
} as const satisfies Record<ErrorCode, number>

/** Words that Go clients of containerd expect at the end, and cut off, for these classes. */
const SUFFIX: Readonly<Partial<Record<ErrorCode, string>>> = {
  notFound: 'not found',
  alreadyExists: 'already exists',
}

/**
 * The trailer that carries the facts of a failure as JSON. Not `grpc-status-details-bin`: containerd's Go
 * clients print every detail there they do not know as one more line of the error.
 */
export const FAILURE_TRAILER = 'berth-failure-bin'

/** A header block of a few KiB is what every client accepts. */
const MAX_MESSAGE_CHARS = 4096
const MAX_FACTS_BYTES = 4096

/**
 * The one place where a failure becomes a gRPC status. What is not a PlatformError is a bug of ours:
 * the client learns only that, the log gets the rest (`reportBug`).
 */
export function toStatus(error: unknown, reportBug: (error: unknown) => void): CallFailure {
  if (!(error instanceof PlatformError)) {
    reportBug(error)
    return { code: grpcStatus.INTERNAL, details: 'internal error', metadata: new Metadata() }
  }
  const metadata = new Metadata()
  const facts = Buffer.from(JSON.stringify({ code: error.code, ...error.facts }))
  if (facts.byteLength <= MAX_FACTS_BYTES) metadata.set(FAILURE_TRAILER, facts)
  return { code: GRPC_STATUS[error.code], details: describe(error), metadata }
}

function describe({ code, message }: PlatformError): string {
  const text =
    message.length > MAX_MESSAGE_CHARS ? `${message.slice(0, MAX_MESSAGE_CHARS)}…` : message
  const suffix = SUFFIX[code]
  return suffix === undefined || text.endsWith(suffix) ? text : `${text}: ${suffix}`
}
