/** Is the process we started still the one that has its pid? */
import { closeSync, readFileSync } from 'node:fs'
import { native } from '../../native/binding.ts'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { InitIdentity } from './record.ts'

/** @throws notFound when the process is gone */
export function identifyProcess(pid: number): InitIdentity {
  const stat = readStat(pid)
  if (stat === undefined) {
    throw new PlatformError('notFound', {
      action: 'identify process',
      subject: String(pid),
      errno: 'ESRCH',
    })
  }
  return { pid, startTimeTicks: stat.startTimeTicks, bootId: readBootId() }
}

/** False for a zombie: it has ended and waits only for its parent. */
export function isAlive(identity: InitIdentity): boolean {
  const stat = readStat(identity.pid)
  return (
    stat?.startTimeTicks === identity.startTimeTicks &&
    stat.state !== 'Z' &&
    stat.state !== 'X' &&
    readBootId() === identity.bootId
  )
}

/**
 * A pidfd of the process, for signalling and waiting; undefined when it has ended. The start time is
 * compared after the pidfd is open: from then on the pid cannot come to mean another process.
 */
export function openProcess(identity: InitIdentity): number | undefined {
  let pidfd: number
  try {
    pidfd = native().pidfdOpen(identity.pid)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return undefined
    throw wrapSystemError(error, { action: 'open process', subject: String(identity.pid) })
  }
  if (isAlive(identity)) return pidfd
  closeSync(pidfd)
  return undefined
}

interface ProcessStat {
  /** R, S, D, T, Z, X … */
  readonly state: string
  readonly startTimeTicks: bigint
}

/** @see proc_pid_stat(5); the name in parentheses may itself hold blanks and parentheses */
function readStat(pid: number): ProcessStat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined
    throw wrapSystemError(error, { action: 'look at process', subject: String(pid) })
  }
  // Fields 3 (state) to 22 (start time).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startTimeTicks: BigInt(fields[19] ?? '0') }
}

let bootId: string | undefined

function readBootId(): string {
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  return bootId
}
