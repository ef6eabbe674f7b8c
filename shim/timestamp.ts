import type { Timestamp } from '../proto/generated/google/protobuf/timestamp.ts'

const NANOS_PER_SECOND = 1_000_000_000n

export function timestampOf(epochNs: bigint): Timestamp {
  return { seconds: epochNs / NANOS_PER_SECOND, nanos: Number(epochNs % NANOS_PER_SECOND) }
}

/** The wall clock, in nanoseconds since the epoch with a resolution of microseconds. */
export function nowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n
}
