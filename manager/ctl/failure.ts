/** gRPC status → our error, with the facts berthd sends beside it. */
import { status as grpcStatus, type Metadata } from '@grpc/grpc-js'
import {
  ERROR_CODES,
  PlatformError,
  wrapSystemError,
  type ErrorCode,
  type FailureFacts,
} from '../../proto/errors/platform-error.ts'
import { FAILURE_TRAILER } from '../grpc/status.ts'

const CODE: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [grpcStatus.CANCELLED, 'canceled'],
  [grpcStatus.UNKNOWN, 'unknown'],
  [grpcStatus.INVALID_ARGUMENT, 'invalidArgument'],
  [grpcStatus.DEADLINE_EXCEEDED, 'deadlineExceeded'],
  [grpcStatus.NOT_FOUND, 'notFound'],
  [grpcStatus.ALREADY_EXISTS, 'alreadyExists'],
  [grpcStatus.PERMISSION_DENIED, 'permissionDenied'],
  [grpcStatus.RESOURCE_EXHAUSTED, 'resourceExhausted'],
  [grpcStatus.FAILED_PRECONDITION, 'failedPrecondition'],
  [grpcStatus.ABORTED, 'aborted'],
  [grpcStatus.OUT_OF_RANGE, 'outOfRange'],
  [grpcStatus.UNIMPLEMENTED, 'unimplemented'],
  [grpcStatus.INTERNAL, 'internal'],
  [grpcStatus.UNAVAILABLE, 'unavailable'],
  [grpcStatus.DATA_LOSS, 'dataLoss'],
  [grpcStatus.UNAUTHENTICATED, 'permissionDenied'],
])

/** How grpc-js begins when there is no socket, or nobody behind it. */
const NOT_CONNECTED = 'No connection established'

/** @param address of the manager, for the sentence when nobody answers there */
export function failureFromGrpc(error: unknown, address: string): PlatformError {
  if (!isServiceError(error)) return wrapSystemError(error, { action: 'call the manager' })
  if (codeOf(error.code) === 'unavailable' && error.details.startsWith(NOT_CONNECTED)) {
    return new PlatformError(
      'unavailable',
      {
        action: 'connect to the manager',
        path: address,
        found: 'nobody who answers',
        hint: 'start berthd, or say where it is with --address',
      },
      { cause: error },
    )
  }
  const facts = readFacts(error.metadata)
  const code = codeOf(error.code)
  return new PlatformError(facts?.code ?? code, facts?.facts ?? error.details, { cause: error })
}

/** What the class of a failure says when its facts say only what was being done. */
const CLASS_TEXT: Readonly<Partial<Record<ErrorCode, string>>> = {
  notFound: 'not found',
  alreadyExists: 'already exists',
}

/** The sentence for the person who called us. */
export function describeFailure({ code, facts, message }: PlatformError): string {
  const text = CLASS_TEXT[code]
  if (text === undefined || message.includes(text)) return message
  return facts.found === undefined && facts.errno === undefined ? `${message}: ${text}` : message
}

interface GrpcFailure extends Error {
  readonly code: number
  readonly details: string
  readonly metadata: Metadata
}

function isServiceError(error: unknown): error is GrpcFailure {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error
}

function codeOf(status: number): ErrorCode {
  return CODE.get(status) ?? 'unknown'
}

/** Undefined from managers that are not ours. */
function readFacts(metadata: Metadata): { code: ErrorCode; facts: FailureFacts } | undefined {
  const [bytes] = metadata.get(FAILURE_TRAILER)
  if (!Buffer.isBuffer(bytes)) return undefined
  let sent: unknown
  try {
    sent = JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof sent !== 'object' || sent === null) return undefined
  const texts = Object.entries(sent).filter((entry): entry is [string, string] => {
    return typeof entry[1] === 'string'
  })
  const { code: rawCode, action, ...rest } = Object.fromEntries(texts)
  const code = ERROR_CODES.find((known) => known === rawCode)
  return code === undefined || action === undefined
    ? undefined
    : { code, facts: { action, ...rest } }
}
