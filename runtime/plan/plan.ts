import type { Operation } from '../../native/generated/operations.ts'

/** Everything `launch` needs to start a process: data only, so it can be printed and compared (DESIGN 4). */
export interface Plan {
  /** CLONE_NEW* flags with which init is cloned. */
  readonly cloneFlags: number
  /** Namespace files to open and pass, in the order of the `joinNamespace` operations' indices. */
  readonly namespacePaths: readonly string[]
  /** True when the plan forks: the process we clone is not the one that becomes the program. */
  readonly forks: boolean
  readonly operations: readonly Operation[]
}
