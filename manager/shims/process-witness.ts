/**
 * Sees processes end that are not our children, so that an exit status survives the shim that would have
 * told it (DESIGN 7).
 */
import { closeSync, readFileSync } from 'node:fs'
import { errnoOf } from '../../proto/errors/platform-error.ts'
import { native, type ProcessExit } from '../../native/binding.ts'
import type { ExitStatus } from './process-state.ts'
import { timestampToProto } from '../metadata/timestamp.ts'

/** Holds one process by its pidfd until it has ended. */
export interface Witness {
  readonly pid: number
  /** Undefined while the process lives. */
  readonly exit: ExitStatus | undefined
  /** Resolves when the process has ended. */
  readonly ended: Promise<ExitStatus>
  /** Looks away. */
  release(): void
}

/** Status of a process that is gone without anybody having seen how. */
const UNKNOWN_EXIT_STATUS = 255
const SIGNAL_BASE = 128

export function exitStatusOf(exit: ProcessExit): ExitStatus {
  const exitedAt = timestampToProto(exit.exitedAtNs)
  switch (exit.kind) {
    case 'exited':
      return { exitStatus: exit.exitCode, exitedAt, isKnown: true }
    case 'signaled':
      return { exitStatus: SIGNAL_BASE + exit.signal, exitedAt, isKnown: true }
    case 'unknown':
      return { exitStatus: UNKNOWN_EXIT_STATUS, exitedAt, isKnown: false }
  }
}

/** Undefined when there is no such process any more. */
export function watchProcess(pid: number): Witness | undefined {
  const pidfd = openPidfd(pid)
  if (pidfd === undefined) return undefined
  let exit: ExitStatus | undefined
  let isOpen = true
  let resolveEnded: (exit: ExitStatus) => void = () => undefined
  const ended = new Promise<ExitStatus>((resolve) => (resolveEnded = resolve))
  const close = (): void => {
    if (isOpen) closeSync(pidfd)
    isOpen = false
  }
  // Readable first: unlike the reaper's watch it can be taken back when the manager stops.
  native().watchReadable(pidfd, () => {
    // Now it reports at once, and reaps what has become our child because its shim died.
    native().watchExit(pidfd, (how) => {
      exit = exitStatusOf(how)
      close()
      resolveEnded(exit)
    })
  })
  return {
    pid,
    ended,
    get exit() {
      return exit
    },
    release: () => {
      if (isOpen && native().unwatchReadable(pidfd)) close()
    },
  }
}

function openPidfd(pid: number): number | undefined {
  try {
    return native().pidfdOpen(pid)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return undefined
    throw error
  }
}

/**
 * Clock ticks since boot at which a process started; with the pid it names one process for ever.
 * Undefined when there is none.
 */
export function processStartTicks(pid: number): bigint | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined
    throw error
  }
  // The program's name, in parentheses, may hold anything; the start time is the 20th field after it.
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return ticks === undefined ? undefined : BigInt(ticks)
}
