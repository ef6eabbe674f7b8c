/**
 * The one mapper between PlatformError and a ttrpc response. The facts travel in a field of ours, so
 * nothing is flattened on the way; a plain Go peer skips it and reads code and message.
 */
import type { Failure } from '../generated/berth/v1/failure.ts'
import type { Status } from '../generated/google/rpc/status.ts'
import type { Response } from '../generated/ttrpc/message.ts'
import {
  ERROR_CODES,
  PlatformError,
  wrapSystemError,
  type ErrorCode,
} from '../errors/platform-error.ts'
import { NO_BYTES } from './bytes.ts'

/** @see google.rpc.Code */
const STATUS_CODE = {
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
} as const satisfies Record<ErrorCode, number>

const UNAUTHENTICATED = 16

const ERROR_CODE = new Map<number, ErrorCode>([
  ...ERROR_CODES.map((code): [number, ErrorCode] => [STATUS_CODE[code], code]),
  [UNAUTHENTICATED, 'permissionDenied'],
])

/** The class of a google.rpc.Code; a number nobody knows is `unknown`. */
function errorCodeOf(statusCode: number): ErrorCode {
  return ERROR_CODE.get(statusCode) ?? 'unknown'
}

/**
 * @param action what was being done, for errors that do not say it themselves
 */
export function responseFromError(error: unknown, action: string): Response {
  const failure = wrapSystemError(error, { action })
  const status = { code: STATUS_CODE[failure.code], message: failure.message, details: [] }
  return { status, payload: NO_BYTES, failure: failureToProto(failure) }
}

/** The error a peer reported, with its facts when it is one of ours, else with its message. */
export function errorFromResponse(status: Status, failure: Failure | undefined): PlatformError {
  const code = errorCodeOf(status.code)
  if (failure === undefined || failure.action === '') {
    return new PlatformError(code, { action: status.message })
  }
  const { code: _, ...facts } = failure
  return new PlatformError(code, facts)
}

function failureToProto({ code, facts }: PlatformError): Failure {
  const { action, subject, step, path, errno, found, wanted, hint } = facts
  return { code, action, subject, step, path, errno, found, wanted, hint }
}
