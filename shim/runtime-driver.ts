/** The one port to whatever makes containers: our runtime in this process, or a runc-compatible program. */
import { closeSync } from 'node:fs'
import { native, type ProcessExit } from '../native/binding.ts'
import { PlatformError, errnoOf, wrapSystemError } from '../proto/errors/platform-error.ts'
import type { LaunchedProcess, ProcessStdio } from '../runtime/index.ts'

export type { ProcessStdio } from '../runtime/index.ts'

export interface DriverCreateOptions {
  readonly id: string
  readonly bundle: string
  readonly stdio: ProcessStdio
}

export interface DriverExecOptions {
  readonly id: string
  readonly execId: string
  /** The JSON of runtime-spec's `process`, as the client sent it. */
  readonly process: string
  readonly stdio: ProcessStdio
}

/** What is left of a container, as `delete` finds it. */
export interface DriverState {
  /** 0 when no process of it is alive. */
  readonly initPid: number
}

/** A process of a container, from its launch on. Its pidfd is closed once it has ended. */
export interface WatchedProcess {
  readonly pid: number
  /** The terminal's master, the receiver's to close; set when stdio is a terminal. */
  readonly consoleFd: number | undefined
  readonly exited: Promise<ProcessExit>
  /** @throws notFound when the process has ended */
  signal(signal: number): void
}

/**
 * All failures are PlatformErrors. A launched process is a child of this process, or becomes one when
 * the program that launched it ends.
 */
export interface RuntimeDriver {
  create(options: DriverCreateOptions): Promise<WatchedProcess>
  start(id: string): Promise<void>
  exec(options: DriverExecOptions): Promise<WatchedProcess>
  kill(id: string, signal: number, options: { readonly all: boolean }): Promise<void>
  /** Also of a container that is gone already. With `force` it is killed first. */
  delete(id: string, options: { readonly force: boolean }): Promise<void>
  pause(id: string): Promise<void>
  resume(id: string): Promise<void>
  /** @param resources the JSON of runtime-spec's `linux.resources` */
  update(id: string, resources: string): Promise<void>
  /** In our pid namespace. */
  pids(id: string): Promise<readonly number[]>
  /** @returns undefined when the runtime does not know the container */
  state(id: string): Promise<DriverState | undefined>
}

/** Watches a process that the runtime has just launched; takes its descriptors over. */
export function watchProcess({ pid, pidfd, consoleFd }: LaunchedProcess): WatchedProcess {
  let openPidfd: number | undefined = pidfd
  const exited = new Promise<ProcessExit>((resolve) => {
    native().watchExit(pidfd, (exit) => {
      openPidfd = undefined
      closeSync(pidfd)
      resolve(exit)
    })
  })
  const signal = (number: number): void => {
    if (openPidfd === undefined) throw alreadyEnded(pid)
    try {
      native().pidfdSendSignal(openPidfd, number)
    } catch (error) {
      if (errnoOf(error) === 'ESRCH') throw alreadyEnded(pid)
      throw wrapSystemError(error, { action: 'signal process', subject: String(pid) })
    }
  }
  return { pid, consoleFd, exited, signal }
}

function alreadyEnded(pid: number): PlatformError {
  // Clients look for these words.
  return new PlatformError('notFound', {
    action: 'signal process',
    subject: String(pid),
    found: 'process already finished',
  })
}
