/**
 * The one mapper between PlatformError and google.rpc.Status, used by ttrpc and gRPC alike. The facts
 * travel in the details, so nothing is flattened on the way; a plain Go peer reads code and message.
 */
import { Failure } from '../generated/berth/v1/failure.ts'
import type { Status } from '../generated/google/rpc/status.ts'
import {
  ERROR_CODES,
  PlatformError,
  wrapSystemError,
  type ErrorCode,
  type FailureFacts,
} from '../errors/platform-error.ts'
import { bufferView } from './bytes.ts'

/** Type URL of the detail that carries our facts. */
export const FAILURE_TYPE_URL = 'berth.v1.Failure'

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

/** The google.rpc.Code of an error class. */
export function statusCodeOf(code: ErrorCode): number {
  return STATUS_CODE[code]
}

/** The class of a google.rpc.Code; a number nobody knows is `unknown`. */
export function errorCodeOf(statusCode: number): ErrorCode {
  return ERROR_CODE.get(statusCode) ?? 'unknown'
}

/**
 * @param action what was being done, for errors that do not say it themselves
 */
export function statusFromError(error: unknown, action: string): Status {
  const failure = wrapSystemError(error, { action })
  const value = bufferView(Failure.encode(failureToProto(failure)).finish())
  return {
    code: STATUS_CODE[failure.code],
    message: failure.message,
    details: [{ typeUrl: FAILURE_TYPE_URL, value }],
  }
}

/** The error a peer reported, with its facts when it is one of ours, else with its message. */
export function errorFromStatus(status: Status): PlatformError {
  const code = errorCodeOf(status.code)
  const detail = status.details.find(({ typeUrl }) => typeUrl === FAILURE_TYPE_URL)
  const facts = detail === undefined ? undefined : decodeFacts(detail.value)
  return new PlatformError(code, facts ?? { action: status.message })
}

function failureToProto({ code, facts }: PlatformError): Failure {
  const { action, subject, step, path, errno, found, wanted, hint } = facts
  return { code, action, subject, step, path, errno, found, wanted, hint }
}

/** Undefined for bytes that are not a Failure: the status message then speaks for itself. */
function decodeFacts(value: Uint8Array): FailureFacts | undefined {
  try {
    const { code: _, ...facts } = Failure.decode(value)
    return facts.action === '' ? undefined : facts
  } catch {
    return undefined
  }
}
