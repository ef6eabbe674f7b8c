import { closeSync, constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { native, type ProcessExit } from '../../native/binding.ts'
import { programDirectory } from '../../native/program-directory.ts'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { parseReport, type UnpackReport } from './unpack-report.ts'

/** One message: fits a report whose entry name is 4096 bytes that all had to be escaped. */
const MAX_REPORT_BYTES = 64 * 1024
const SIGKILL = 9
const STDERR_FD = 2

/** A word of the command line with a descriptor in it: `blob-fd=<number in the child>`. */
export interface DescriptorArgument {
  readonly name: string
  readonly fds: readonly number[]
}

/** Runs berth-unpack to its end and returns its report. @throws internal when it ended without one */
export async function runUnpack(
  mode: 'apply' | 'inherit',
  descriptors: readonly DescriptorArgument[],
  options: readonly string[],
  signal: AbortSignal,
): Promise<UnpackReport> {
  signal.throwIfAborted()
  const [reportFd, childReportFd] = native().socketpair()
  try {
    const exit = await run(mode, childReportFd, descriptors, options, signal)
    signal.throwIfAborted()
    const report = parseReport(native().receiveMessage(reportFd, MAX_REPORT_BYTES).data.toString())
    if (report !== undefined) return report
    throw new PlatformError('internal', {
      action: 'apply layer',
      found: `berth-unpack ended without a report, ${describeExit(exit)}`,
    })
  } finally {
    closeSync(reportFd)
  }
}

/** Our copy of the report's end is closed when this returns, so that reading the report cannot wait. */
async function run(
  mode: string,
  childReportFd: number,
  descriptors: readonly DescriptorArgument[],
  options: readonly string[],
  signal: AbortSignal,
): Promise<ProcessExit> {
  const fds = [-1, -1, STDERR_FD, childReportFd]
  const words = descriptors.map(({ name, fds: passed }) => {
    const numbers = passed.map((fd) => fds.push(fd) - 1)
    return `${name}=${numbers.join(',')}`
  })
  try {
    return await runToExit(['berth-unpack', mode, 'report-fd=3', ...words, ...options], fds, signal)
  } finally {
    closeSync(childReportFd)
  }
}

async function runToExit(
  argv: readonly string[],
  fds: readonly number[],
  signal: AbortSignal,
): Promise<ProcessExit> {
  const executable = join(programDirectory(), 'berth-unpack')
  const { pidfd } = spawn(executable, argv, fds)
  const kill = (): void => {
    native().pidfdSendSignal(pidfd, SIGKILL)
  }
  signal.addEventListener('abort', kill, { once: true })
  try {
    return await new Promise((resolve) => {
      native().watchExit(pidfd, resolve)
    })
  } finally {
    signal.removeEventListener('abort', kill)
    closeSync(pidfd)
  }
}

function spawn(
  executable: string,
  argv: readonly string[],
  fds: readonly number[],
): { readonly pidfd: number } {
  try {
    return native().spawn({ executable, argv, env: [], fds, newSession: true })
  } catch (error) {
    throw wrapSystemError(error, { action: 'start berth-unpack', path: executable })
  }
}

function describeExit(exit: ProcessExit): string {
  switch (exit.kind) {
    case 'exited':
      return `exit code ${String(exit.exitCode)}`
    case 'signaled':
      return `killed by signal ${String(exit.signal)}`
    case 'unknown':
      return 'for an unknown reason'
  }
}

/** Opens a directory to hand it down. */
export async function openDirectory(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (error) {
    throw wrapSystemError(error, { action: 'open directory of layer', path })
  }
}
