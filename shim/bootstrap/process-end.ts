/** How a process ended that is not our child. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { native, type ProcessExit } from '../../native/binding.ts'
import { errnoOf } from '../../proto/errors/platform-error.ts'
import { nowNs } from '../timestamp.ts'

const POLL_MS = 2

/**
 * Waits for the end. The kernel tells it by pidfd once somebody has reaped the process, which whoever adopts
 * orphans may take seconds to do, and in /proc as long as nobody has.
 *
 * @returns undefined when it has not ended in time
 */
export async function waitForEnd(
  pid: number,
  pidfd: number,
  timeoutMs: number,
): Promise<ProcessExit | undefined> {
  const deadlineMs = performance.now() + timeoutMs
  while (performance.now() < deadlineMs) {
    try {
      return native().pidfdExit(pidfd)
    } catch (error) {
      // EAGAIN: it lives, or nobody has reaped it yet.
      if (errnoOf(error) !== 'EAGAIN') throw error
    }
    const exit = readZombieExit(pid)
    if (exit !== undefined) return exit
    await sleep(POLL_MS)
  }
  return undefined
}

function readZombieExit(pid: number): ProcessExit | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
  } catch (error) {
    const errno = errnoOf(error)
    // Reaped in between: the pidfd knows now.
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined
    throw error
  }
  return parseZombieExit(text, nowNs())
}

/**
 * @param text of /proc/PID/stat
 * @returns undefined unless the process is a zombie
 * @see proc_pid_stat(5): state is field 3, exit_code, a wait status, field 52
 */
export function parseZombieExit(text: string, exitedAtNs: bigint): ProcessExit | undefined {
  // The name, in brackets, may hold anything.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .trim()
    .split(' ')
  const state = fields[0]
  const status = Number(fields[49])
  if (state !== 'Z' || !Number.isInteger(status)) return undefined
  const signal = status & 0x7f
  if (signal !== 0) return { kind: 'signaled', signal, exitedAtNs }
  return { kind: 'exited', exitCode: (status >> 8) & 0xff, exitedAtNs }
}
