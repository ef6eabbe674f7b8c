/** The standard streams of one process, between the runtime and the client. */
import type { TerminalSize } from '../../native/binding.ts'
import type { ProcessStdio } from '../runtime-driver.ts'
import type { StreamOwner } from './open-target.ts'

/** What a client asks for. */
export interface StreamRequest {
  readonly terminal: boolean
  /** Path or URI; empty for none. */
  readonly stdin: string
  readonly stdout: string
  readonly stderr: string
}

export interface StreamSettings {
  readonly owner: StreamOwner
  /**
   * Keeps the client's FIFOs out of the container: a security module that judges files by path or label would
   * take them away from the process.
   */
  readonly isolated: boolean
}

export interface ProcessStreams {
  /** What the runtime is to give the process. */
  readonly stdio: ProcessStdio
  /**
   * The process has its ends now; ours of them are closed and the pumps run.
   *
   * @param consoleFd the terminal's master, ours from now on
   */
  attach(consoleFd: number | undefined): void
  /** The client will send no more input. */
  closeInput(): void
  /** @throws failedPrecondition when the process has no terminal */
  resize(size: TerminalSize): void
  /** Waits until all output has reached the client's FIFO or file, bounded. @returns whether it has */
  drain(timeoutMs: number): Promise<boolean>
  /** Lets go of everything. Idempotent. */
  close(): void
}
