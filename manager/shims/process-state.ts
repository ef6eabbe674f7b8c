/**
 * What the manager knows of one process of a container: its init or an exec. Reads are answered from
 * here and never wait for a shim (DESIGN 13).
 */
import type { Timestamp } from '../../proto/generated/google/protobuf/timestamp.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'

export interface ProcessIo {
  /** Paths or URIs; empty for none. */
  readonly stdin: string
  readonly stdout: string
  readonly stderr: string
  readonly terminal: boolean
}

export interface ExitStatus {
  /** 0 to 255; 128 + n for signal n. */
  readonly exitStatus: number
  readonly exitedAt: Timestamp
  /** False: nobody could tell how it ended, and the status is 255. */
  readonly isKnown: boolean
}

export type ProcessPhase =
  | { readonly status: 'adding' }
  /** `unknown`: nobody answers for it; its pid is 0 when that is not known either. */
  | { readonly status: 'unknown'; readonly pid: number }
  | { readonly status: 'created' | 'running' | 'paused'; readonly pid: number }
  | { readonly status: 'stopped'; readonly pid: number; readonly exit: ExitStatus }

export class ProcessState {
  /** Empty for the init. */
  readonly execId: string
  readonly io: ProcessIo
  #phase: ProcessPhase = { status: 'adding' }
  #waiters = new Set<(exit: ExitStatus) => void>()

  constructor(execId: string, io: ProcessIo) {
    this.execId = execId
    this.io = io
  }

  get phase(): ProcessPhase {
    return this.#phase
  }

  /** 0 until it is known. */
  get pid(): number {
    return 'pid' in this.#phase ? this.#phase.pid : 0
  }

  get exit(): ExitStatus | undefined {
    return this.#phase.status === 'stopped' ? this.#phase.exit : undefined
  }

  /** Answers and events reach us by different ways and in any order; none of these goes backwards. */
  created(pid: number): void {
    switch (this.#phase.status) {
      case 'adding':
      case 'unknown':
        this.#phase = { status: 'created', pid }
        return
      case 'created':
      case 'running':
      case 'paused':
        return
      case 'stopped':
        if (this.#phase.pid === 0) this.#phase = { ...this.#phase, pid }
        return
    }
  }

  started(pid: number): void {
    switch (this.#phase.status) {
      case 'adding':
      case 'unknown':
      case 'created':
        this.#phase = { status: 'running', pid }
        return
      case 'running':
      case 'paused':
        return
      case 'stopped':
        if (this.#phase.pid === 0) this.#phase = { ...this.#phase, pid }
        return
    }
  }

  paused(): void {
    if (this.#phase.status === 'running') this.#phase = { ...this.#phase, status: 'paused' }
  }

  resumed(): void {
    if (this.#phase.status === 'paused') this.#phase = { ...this.#phase, status: 'running' }
  }

  /** There is a process, but its shim does not say how it is. */
  unanswered(pid: number): void {
    if (this.#phase.status === 'adding') this.#phase = { status: 'unknown', pid }
  }

  /** @returns whether that was news: a known status replaces one that nobody could tell */
  exited(exit: ExitStatus, pid: number = this.pid): boolean {
    const before = this.exit
    if (before?.isKnown === true || (before !== undefined && !exit.isKnown)) return false
    this.#phase = { status: 'stopped', pid, exit }
    const waiters = this.#waiters
    this.#waiters = new Set()
    for (const resolve of waiters) resolve(exit)
    return true
  }

  /**
   * Resolves when the process has exited, at once if it has.
   *
   * @throws canceled when the signal fires first
   */
  async wait(signal?: AbortSignal): Promise<ExitStatus> {
    if (this.exit !== undefined) return this.exit
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.delete(onExit)
        reject(new PlatformError('canceled', 'wait for process', { cause: signal?.reason }))
      }
      const onExit = (exit: ExitStatus): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve(exit)
      }
      this.#waiters.add(onExit)
      if (signal?.aborted === true) onAbort()
      else signal?.addEventListener('abort', onAbort)
    })
  }
}
