import type { Metadata } from '@grpc/grpc-js'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { parseIdentifier } from './identifier.ts'

export const NAMESPACE_HEADER = 'containerd-namespace'
export const LEASE_HEADER = 'containerd-lease'

/** What a call is made in: who asks, under which lease, until when. */
export interface CallContext {
  /**
   * The namespace of the call. Read it only where the call needs one: reading is what demands it.
   *
   * @throws failedPrecondition when the client sent none
   * @throws invalidArgument when it is malformed
   */
  readonly namespace: string
  /** The lease that everything the call makes or touches is added to. */
  readonly leaseId: string | undefined
  /** Fires when the client went away, its deadline passed, or the manager is stopping. */
  readonly signal: AbortSignal
  /** Wall clock, milliseconds since the epoch. */
  readonly deadlineMs: number | undefined
}

export interface CallContextOptions {
  readonly namespace?: string | undefined
  readonly leaseId?: string | undefined
  readonly signal?: AbortSignal
  readonly deadlineMs?: number | undefined
}

/** A context made by hand: for work the manager starts itself, for the ttrpc endpoint, for tests. */
export function createCallContext(options: CallContextOptions): CallContext {
  return {
    get namespace() {
      return requireNamespace(options.namespace)
    },
    leaseId: options.leaseId === '' ? undefined : options.leaseId,
    signal: options.signal ?? new AbortController().signal,
    deadlineMs: options.deadlineMs,
  }
}

/** Of several values of a header the first one counts. */
export function callContextFromMetadata(
  metadata: Metadata,
  signal: AbortSignal,
  deadlineMs: number | undefined,
): CallContext {
  return createCallContext({
    namespace: firstValue(metadata, NAMESPACE_HEADER),
    leaseId: firstValue(metadata, LEASE_HEADER),
    signal,
    deadlineMs,
  })
}

function firstValue(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key)
  return typeof value === 'string' ? value : undefined
}

function requireNamespace(raw: string | undefined): string {
  if (raw === undefined || raw === '') {
    throw new PlatformError('failedPrecondition', {
      action: 'read the namespace of the call',
      found: 'none',
      wanted: `the header ${NAMESPACE_HEADER}`,
      hint: 'namespace is required',
    })
  }
  return parseIdentifier(raw, 'namespace')
}
