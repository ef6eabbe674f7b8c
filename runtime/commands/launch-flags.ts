/** The flags `create`, `run` and `exec` share, and what they mean. */
import { fstatSync } from 'node:fs'
import { resolve } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ProcessStdio } from '../api.ts'
import { usageError } from './arguments.ts'
import { ConsoleSocket } from './console-socket.ts'

export const PROCESS_FLAGS = {
  'console-socket': {
    kind: 'string',
    help: 'socket that receives the master of the terminal',
  },
  'pid-file': { kind: 'string', help: 'file to write the pid to' },
  'preserve-fds': {
    kind: 'integer',
    help: 'pass this many descriptors beyond stdin, stdout and stderr',
  },
} as const

export const BUNDLE_FLAGS = {
  bundle: { kind: 'string', short: 'b', help: 'the bundle (default: the working directory)' },
  'no-pivot': { kind: 'boolean', help: 'move the root instead of pivot_root, for a rootfs in RAM' },
  'no-new-keyring': { kind: 'boolean', help: 'keep the session keyring of the caller' },
  ...PROCESS_FLAGS,
} as const

/** Our own three; they stay ours. */
export const OWN_STDIO: ProcessStdio = { kind: 'descriptors', stdin: 0, stdout: 1, stderr: 2 }

const FIRST_PRESERVED_FD = 3

/** 3, 4, … @throws invalidArgument when one is not open */
export function preservedFds(count: number | undefined): readonly number[] {
  if (count !== undefined && count < 0) throw usageError('--preserve-fds: want 0 or more')
  return Array.from({ length: count ?? 0 }, (_, index) => {
    const fd = FIRST_PRESERVED_FD + index
    try {
      fstatSync(fd)
    } catch (error) {
      throw new PlatformError(
        'invalidArgument',
        {
          action: 'preserve descriptors',
          found: `descriptor ${fd} that is not open`,
          wanted: `${FIRST_PRESERVED_FD} to ${FIRST_PRESERVED_FD - 1 + (count ?? 0)} open`,
        },
        { cause: error },
      )
    }
    return fd
  })
}

export function pidFilePath(flag: string | undefined): { readonly pidFile?: string } {
  return flag === undefined ? {} : { pidFile: resolve(flag) }
}

export interface TerminalChoice {
  readonly terminal: boolean
  readonly detach: boolean
  readonly consoleSocket: string | undefined
}

/**
 * A terminal that nobody here carries needs a socket to be sent to; nothing else may have one.
 *
 * @returns the connected socket, or undefined when none is needed
 * @throws invalidArgument
 */
export function connectConsole({
  terminal,
  detach,
  consoleSocket,
}: TerminalChoice): ConsoleSocket | undefined {
  if (!detach || !terminal) {
    if (consoleSocket === undefined) return undefined
    throw usageError(
      'cannot use console socket if the runtime will not detach or allocate tty: want process.terminal true and --detach',
    )
  }
  if (consoleSocket === undefined) {
    throw usageError(
      'cannot allocate tty if the runtime will detach without setting console socket: want --console-socket, or process.terminal false',
    )
  }
  return ConsoleSocket.connect(consoleSocket)
}
