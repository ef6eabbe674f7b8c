/** Sits between the user and one process of a container until it exits. */
import { constants as osConstants } from 'node:os'
import { isatty } from 'node:tty'
import type { ExitResult } from './exit-result.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { native } from '../../native/binding.ts'
import type { Clients } from './clients.ts'
import type { ProcessIo } from './process-io.ts'

export interface AttachTarget {
  readonly containerId: string
  /** Empty for the init. */
  readonly execId: string
}

/** Passed on to the process when we get them. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const
/** Output that a child of the process still holds open is waited for no longer than this. */
const DRAIN_MS = 2000

/**
 * Starts a process that was created with these streams and stays with it until it exits.
 *
 * @returns how it exited
 */
export async function startAttached(
  clients: Clients,
  target: AttachTarget,
  io: ProcessIo,
): Promise<ExitResult> {
  const exited = clients.tasks.wait({ ...target })
  // Reported where it is awaited; Start may fail before.
  exited.catch(() => undefined)
  await clients.tasks.start({ ...target })
  io.start(() => {
    clients.tasks.closeIO({ ...target, stdin: true }).catch(ignoreGone)
  })
  using _signals = forwardSignals(clients, target)
  using _terminal = io.paths.terminal ? takeTerminal(clients, target) : undefined
  const { exitStatus, exitedAt } = await exited
  await io.drain(DRAIN_MS)
  return { exitStatus, exitedAt }
}

function forwardSignals(clients: Clients, target: AttachTarget): Disposable {
  const listeners = FORWARDED.map((name): [NodeJS.Signals, () => void] => {
    const signal = osConstants.signals[name]
    const listener = (): void => {
      clients.tasks.kill({ ...target, signal, all: false }).catch(ignoreGone)
    }
    process.on(name, listener)
    return [name, listener]
  })
  return {
    [Symbol.dispose]: () => {
      for (const [name, listener] of listeners) process.off(name, listener)
    },
  }
}

/** Our terminal passes every key on, and the process's one gets its size. */
function takeTerminal(clients: Clients, target: AttachTarget): Disposable {
  const resize = (): void => {
    if (!isatty(1)) return
    const { columns: width, rows: height } = native().getTerminalSize(1)
    clients.tasks.resizePty({ ...target, width, height }).catch(ignoreGone)
  }
  resize()
  process.on('SIGWINCH', resize)
  const saved = isatty(0) ? native().setRawMode(0) : undefined
  return {
    [Symbol.dispose]: () => {
      process.off('SIGWINCH', resize)
      if (saved !== undefined) native().restoreMode(0, saved)
    },
  }
}

/** The process may have gone in the meantime, which its exit tells better. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof PlatformError)) throw error
}
