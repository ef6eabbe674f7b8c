import type { Timestamp } from '../../proto/generated/google/protobuf/timestamp.ts'

const NS_PER_SECOND = 1_000_000_000n
const NS_PER_MS = 1_000_000n

/** The wall clock in nanoseconds since the epoch, in steps of a millisecond. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * NS_PER_MS
}

export function timestampToProto(timeNs: bigint): Timestamp {
  const nanos = ((timeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND
  return { seconds: (timeNs - nanos) / NS_PER_SECOND, nanos: Number(nanos) }
}

export function timestampFromProto(timestamp: Timestamp): bigint {
  return timestamp.seconds * NS_PER_SECOND + BigInt(timestamp.nanos)
}
