import type { Timestamp } from '../../proto/generated/google/protobuf/timestamp.ts'

export interface ExitResult {
  readonly exitStatus: number
  readonly exitedAt: Timestamp | undefined
}
