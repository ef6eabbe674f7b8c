/**
 * The one error vocabulary of the platform. Every failure is a value with a closed code and
 * the facts a person needs; it is flattened to text only by the last printer (DESIGN 12).
 */

/** The classes of failure; the names follow containerd's errdefs and the gRPC status codes. */
export const ERROR_CODES = [
  'invalidArgument',
  'notFound',
  'alreadyExists',
  'failedPrecondition',
  'permissionDenied',
  'resourceExhausted',
  'outOfRange',
  'unavailable',
  'unimplemented',
  'aborted',
  'dataLoss',
  'deadlineExceeded',
  'canceled',
  'internal',
  'unknown',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** What is known about a failure. Only `action` is required; the sentence is composed from what is there. */
export interface FailureFacts {
  /** What was being done, as a verb phrase: `parse config.json`, `mount`, `create container`. */
  readonly action: string
  /** What it was done to: a container id, an image reference, a digest. */
  readonly subject?: string | undefined
  /** Where in a longer procedure it failed: an init step, a JSON pointer, a plan index. */
  readonly step?: string | undefined
  /** The file concerned. */
  readonly path?: string | undefined
  /** Symbolic errno, `ENOENT`. */
  readonly errno?: string | undefined
  readonly found?: string | undefined
  readonly wanted?: string | undefined
  /** What the person can do about it. */
  readonly hint?: string | undefined
}

export interface PlatformErrorOptions {
  readonly cause?: unknown
}

/**
 * A failure with its facts.
 *
 * The message has the shape `action subject at step: path: found X, want Y: errno text (hint)`,
 * lower-case, without a full stop, leaving out what is not known.
 */
export class PlatformError extends Error {
  override readonly name: string = 'PlatformError'
  readonly code: ErrorCode
  readonly facts: FailureFacts

  constructor(code: ErrorCode, facts: FailureFacts | string, options: PlatformErrorOptions = {}) {
    const known = typeof facts === 'string' ? { action: facts } : facts
    super(composeSentence(known), options)
    this.code = code
    this.facts = known
  }
}

/** Composes the sentence a person reads from the facts that are there. */
export function composeSentence(facts: FailureFacts): string {
  const head = [
    facts.action,
    facts.subject,
    facts.step === undefined ? undefined : `at ${facts.step}`,
  ]
    .filter((part) => part !== undefined && part !== '')
    .join(' ')
  const contrast = [
    facts.found === undefined ? undefined : `found ${facts.found}`,
    facts.wanted === undefined ? undefined : `want ${facts.wanted}`,
  ]
    .filter((part) => part !== undefined)
    .join(', ')
  const parts = [
    head,
    facts.path,
    contrast === '' ? undefined : contrast,
    facts.errno === undefined ? undefined : describeErrno(facts.errno),
  ].filter((part) => part !== undefined && part !== '')
  const sentence = parts.join(': ')
  return facts.hint === undefined ? sentence : `${sentence} (${facts.hint})`
}

/** Plain words for the errno values users meet; others are shown by name. */
const ERRNO_TEXT: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'device or resource busy',
  EDQUOT: 'disk quota exceeded',
  EEXIST: 'file exists',
  EFBIG: 'file too large',
  EINVAL: 'invalid argument',
  EIO: 'input/output error',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'file name too long',
  ENFILE: 'too many open files in system',
  ENODEV: 'no such device',
  ENOENT: 'no such file or directory',
  ENOEXEC: 'exec format error',
  ENOMEM: 'cannot allocate memory',
  ENOSPC: 'no space left on device',
  ENOSYS: 'function not implemented by this kernel',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  ENXIO: 'no such device or address',
  EOPNOTSUPP: 'operation not supported',
  EPERM: 'operation not permitted',
  EPIPE: 'broken pipe',
  EROFS: 'read-only file system',
  ESRCH: 'no such process',
  ETIMEDOUT: 'timed out',
  EXDEV: 'crosses a file system boundary',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
}

function describeErrno(errno: string): string {
  const text = ERRNO_TEXT[errno]
  return text === undefined ? errno : `${text} (${errno})`
}

/** The class of failure an errno stands for when nothing more specific is known. */
const ERRNO_CODE: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'permissionDenied',
  EPERM: 'permissionDenied',
  ENOENT: 'notFound',
  ESRCH: 'notFound',
  EEXIST: 'alreadyExists',
  EBUSY: 'failedPrecondition',
  ENOTEMPTY: 'failedPrecondition',
  ENOTDIR: 'invalidArgument',
  EISDIR: 'invalidArgument',
  EINVAL: 'invalidArgument',
  ELOOP: 'invalidArgument',
  ENAMETOOLONG: 'invalidArgument',
  ENOSPC: 'resourceExhausted',
  EDQUOT: 'resourceExhausted',
  EMFILE: 'resourceExhausted',
  ENFILE: 'resourceExhausted',
  ENOMEM: 'resourceExhausted',
  ENOSYS: 'unimplemented',
  EOPNOTSUPP: 'unimplemented',
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  EPIPE: 'unavailable',
  ETIMEDOUT: 'deadlineExceeded',
}

export function codeOfErrno(errno: string): ErrorCode {
  return ERRNO_CODE[errno] ?? 'internal'
}

/** The symbolic errno of an error thrown by Node or the native addon, if it carries one. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  const { code } = error
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}

/**
 * Wraps a system call failure with what was being done. A PlatformError passes through unchanged:
 * the layer that knew most has already spoken.
 */
export function wrapSystemError(error: unknown, facts: FailureFacts): PlatformError {
  if (error instanceof PlatformError) return error
  const errno = errnoOf(error)
  if (errno !== undefined) {
    return new PlatformError(codeOfErrno(errno), { ...facts, errno }, { cause: error })
  }
  const found = error instanceof Error ? error.message : String(error)
  return new PlatformError('internal', { found, ...facts }, { cause: error })
}
