/** The processes of a cgroup directory and below. */
import { closeSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../../native/binding.ts'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { Backoff } from './backoff.ts'

const KILL_DEADLINE_MS = 10_000
const SIGKILL = 9

/** Empty when the directory is gone. */
export function readPids(directory: string): readonly number[] {
  try {
    const own = readFileSync(join(directory, 'cgroup.procs'), 'latin1')
      .split('\n')
      .map(Number)
      // A process outside our pid namespace is shown as 0.
      .filter((pid) => pid > 0)
    const below = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => readPids(join(directory, name)))
    return [...own, ...below]
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENODEV') return []
    throw wrapSystemError(error, { action: 'list processes of cgroup', path: directory })
  }
}

/**
 * Signals each process once. The list is read again after the pidfds are open, so a pid that was reused in
 * between is not hit (S-25).
 */
export function signalProcesses(listPids: () => readonly number[], signal: number): void {
  const targets = listPids().flatMap((pid) => {
    const pidfd = openPidfd(pid)
    return pidfd === undefined ? [] : [{ pid, pidfd }]
  })
  try {
    const current = new Set(listPids())
    for (const { pid, pidfd } of targets) {
      if (current.has(pid)) sendSignal(pidfd, pid, signal)
    }
  } finally {
    for (const { pidfd } of targets) closeSync(pidfd)
  }
}

/** Repeats `kill` until no process is left. */
export async function killUntilEmpty(
  listPids: () => readonly number[],
  kill: () => Promise<void>,
): Promise<void> {
  const backoff = new Backoff(KILL_DEADLINE_MS)
  while (listPids().length > 0) {
    await kill()
    if (listPids().length === 0) return
    if (!(await backoff.pause())) {
      throw new PlatformError('deadlineExceeded', {
        action: 'kill processes of container',
        found: `${listPids().join(' ')} still there`,
        wanted: `their end within ${KILL_DEADLINE_MS / 1000} s of SIGKILL (${SIGKILL})`,
        hint: 'a process in uninterruptible sleep waits for its file system or device',
      })
    }
  }
}

/** undefined when it has ended. */
function openPidfd(pid: number): number | undefined {
  try {
    return native().pidfdOpen(pid)
  } catch (error) {
    // A thread group leader that is gone while its threads live is reported as EINVAL by older kernels.
    if (errnoOf(error) === 'ESRCH' || errnoOf(error) === 'EINVAL') return undefined
    throw wrapSystemError(error, { action: 'open process', subject: String(pid) })
  }
}

function sendSignal(pidfd: number, pid: number, signal: number): void {
  try {
    native().pidfdSendSignal(pidfd, signal)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return
    throw wrapSystemError(error, { action: `send signal ${signal}`, subject: `process ${pid}` })
  }
}
