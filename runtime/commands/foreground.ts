/** Stays with a process until it ends: forwards signals, carries its terminal, learns its exit. */
import { closeSync } from 'node:fs'
import { native, type ProcessExit } from '../../native/binding.ts'
import { errnoOf, PlatformError } from '../../proto/errors/platform-error.ts'
import type { LaunchedProcess } from '../api.ts'
import { parseSignal } from './signals.ts'
import type { TerminalRelay } from './terminal-relay.ts'

/** What a shell or a service manager sends; faults of our own process are not the container's. */
const FORWARDED_SIGNALS = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGTERM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
] as const

/**
 * @param launched the process; its descriptors are closed here
 * @param begin what remains to be done once signals and terminal are connected
 * @returns the exit code as a shell has it: 128 and the signal for a death by signal
 */
export async function stayWith(
  launched: LaunchedProcess,
  begin: () => Promise<void>,
): Promise<number> {
  const exited = new Promise<ProcessExit>((resolve) => {
    native().watchExit(launched.pidfd, resolve)
  })
  const stopForwarding = forwardSignals(launched.pidfd)
  let relay: TerminalRelay | undefined
  try {
    if (launched.consoleFd !== undefined) {
      const { TerminalRelay } = await import('./terminal-relay.ts')
      relay = new TerminalRelay(launched.consoleFd)
    }
    await begin()
    return exitCodeOf(await exited)
  } finally {
    stopForwarding()
    // Also when `begin` failed: the process ends of that, and must be reaped before its pidfd closes.
    await exited
    await relay?.close()
    closeSync(launched.pidfd)
  }
}

function forwardSignals(pidfd: number): () => void {
  const listeners = FORWARDED_SIGNALS.map((name) => {
    const listener = (): void => {
      sendSignal(pidfd, parseSignal(name))
    }
    process.on(name, listener)
    return () => process.off(name, listener)
  })
  return () => {
    for (const remove of listeners) remove()
  }
}

function sendSignal(pidfd: number, signal: number): void {
  try {
    native().pidfdSendSignal(pidfd, signal)
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}

const SIGNAL_BASE = 128

function exitCodeOf(exit: ProcessExit): number {
  switch (exit.kind) {
    case 'exited':
      return exit.exitCode
    case 'signaled':
      return SIGNAL_BASE + exit.signal
    case 'unknown':
      throw new PlatformError('internal', {
        action: 'wait for container process',
        found: 'an exit that somebody else collected',
        wanted: 'a child of this process',
      })
  }
}
