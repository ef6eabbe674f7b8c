import {
  codeOfErrno,
  PlatformError,
  type ErrorCode,
  type FailureFacts,
} from '../../proto/errors/platform-error.ts'
import { parseDigest, type Digest } from '../content/digest.ts'

/** What berth-unpack says about a layer it has applied. */
export interface AppliedLayer {
  /** Digest of the inflated archive. */
  readonly diffId: Digest
  readonly tarBytes: number
  readonly entries: number
  /** Directories that no entry made, only the names of others. */
  readonly impliedDirectories: number
}

type FailureKind = 'system' | 'archive' | 'digest' | 'limit' | 'usage'

export interface FailureReport {
  readonly outcome: 'failed'
  readonly kind: FailureKind
  readonly step: string
  readonly errno?: string
  readonly entry?: string
  readonly found?: string
  readonly wanted?: string
}

export type UnpackReport =
  | FailureReport
  | { readonly outcome: 'inherited'; readonly directories: number }
  | (Omit<AppliedLayer, 'diffId'> & { readonly outcome: 'applied'; readonly diffId: string })

const CODE: Readonly<Record<Exclude<FailureKind, 'system'>, ErrorCode>> = {
  archive: 'invalidArgument',
  digest: 'dataLoss',
  limit: 'resourceExhausted',
  usage: 'internal',
}

/** Reads the line of JSON that berth-unpack ends with; both are built together, so its shape is trusted. */
export function parseReport(line: string): UnpackReport | undefined {
  return line === '' ? undefined : (JSON.parse(line) as UnpackReport)
}

export function appliedLayer(report: UnpackReport & { readonly outcome: 'applied' }): AppliedLayer {
  const { tarBytes, entries, impliedDirectories } = report
  return { diffId: parseDigest(report.diffId), tarBytes, entries, impliedDirectories }
}

/** The failure of a layer as people read it. */
export function failureOf(report: FailureReport, layer: string): PlatformError {
  const { kind, step, errno, entry, found, wanted } = report
  const code = kind === 'system' ? codeOfErrno(errno ?? 'EIO') : CODE[kind]
  const facts: FailureFacts = {
    action: 'apply layer',
    subject: layer,
    step,
    path: entry === undefined ? undefined : entryText(entry),
    errno,
    found,
    wanted,
  }
  return new PlatformError(code, facts)
}

/** The report has one character per byte of the name. */
function entryText(entry: string): string {
  return JSON.stringify(Buffer.from(entry, 'latin1').toString())
}
