/** What berth-init tells its parent over the control socket; the C++ side is `native/init/control.h`. */
import { constants } from 'node:os'
import type { ReceivedMessage } from './binding.ts'
import { STEPS } from './generated/operations.ts'

export type InitReport =
  | InitFailure
  | { readonly kind: 'sync'; readonly point: number }
  /** The pidfd of the process that goes on, owned by the receiver. */
  | { readonly kind: 'forked'; readonly pidfd: number }
  /** The terminal's master, owned by the receiver. */
  | { readonly kind: 'console'; readonly masterFd: number }
  | { readonly kind: 'ready' }

export interface InitFailure {
  readonly kind: 'failure'
  /** Index of the operation in the plan. */
  readonly opIndex: number
  /** What failed inside the operation, named after the system call. */
  readonly step: string
  /** The kernel's number; the wait status for the step `hook exit`. */
  readonly errnoNumber: number
  /** Symbolic, `ENOENT`. */
  readonly errno: string
  /** A path or the kernel's own words; may be empty. */
  readonly detail: string
}

const REPORT_BYTES = 16

/** Report and its detail in one message. */
export const REPORT_LIMIT_BYTES = 4096

const KIND = { failure: 1, sync: 2, forked: 3, console: 4, ready: 5 } as const

const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
)

/** undefined for bytes init cannot have sent. */
export function decodeReport({ data, fds }: ReceivedMessage): InitReport | undefined {
  if (data.byteLength < REPORT_BYTES) return undefined
  const kind = data.readUInt32LE(0)
  const value = data.readInt32LE(12)
  const [fd] = fds
  switch (kind) {
    case KIND.failure:
      return {
        kind: 'failure',
        opIndex: data.readUInt32LE(4),
        step: STEPS[data.readUInt32LE(8)] ?? 'unknown step',
        errnoNumber: value,
        errno: ERRNO_NAMES.get(value) ?? `errno ${String(value)}`,
        detail: data.subarray(REPORT_BYTES).toString(),
      }
    case KIND.sync:
      return { kind: 'sync', point: value }
    case KIND.forked:
      return fd === undefined ? undefined : { kind: 'forked', pidfd: fd }
    case KIND.console:
      return fd === undefined ? undefined : { kind: 'console', masterFd: fd }
    case KIND.ready:
      return { kind: 'ready' }
    default:
      return undefined
  }
}
