/** Runs a helper program to its end, with exact descriptors, and keeps what it printed. */
import { closeSync, constants, fstatSync, openSync, readSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { native, type ProcessExit } from '../../native/binding.ts'
import { wrapSystemError } from '../../proto/errors/platform-error.ts'

export interface ProgramRun {
  /** Absolute path. */
  readonly program: string
  readonly args: readonly string[]
  /** Standard streams; without them stdin is /dev/null and both outputs are kept. */
  readonly fds?: readonly [number, number, number]
  /** Where the output is kept meanwhile. */
  readonly scratchDirectory: string
}

export interface ProgramOutcome {
  readonly exit: ProcessExit
  /** Standard output and error together; empty when the caller gave the descriptors. */
  readonly output: string
}

/** What is kept of a program's output; a runtime that says more is not listened to. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024
const DEV_NULL = -1
let runs = 0

/** @throws when the program cannot be executed at all */
export async function runProgram({
  program,
  args,
  fds,
  scratchDirectory,
}: ProgramRun): Promise<ProgramOutcome> {
  const outputFd = fds === undefined ? openScratchFile(scratchDirectory) : undefined
  try {
    const exit = await spawnAndWait(
      program,
      args,
      fds ?? [DEV_NULL, outputFd ?? DEV_NULL, outputFd ?? DEV_NULL],
    )
    return { exit, output: outputFd === undefined ? '' : readAll(outputFd) }
  } finally {
    if (outputFd !== undefined) closeSync(outputFd)
  }
}

async function spawnAndWait(
  program: string,
  args: readonly string[],
  fds: readonly number[],
): Promise<ProcessExit> {
  const { pidfd } = spawn(program, args, fds)
  try {
    return await new Promise((resolve) => {
      native().watchExit(pidfd, resolve)
    })
  } finally {
    closeSync(pidfd)
  }
}

function spawn(
  program: string,
  args: readonly string[],
  fds: readonly number[],
): { readonly pidfd: number } {
  const env = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`)
  try {
    return native().spawn({ executable: program, argv: [program, ...args], env, fds })
  } catch (error) {
    throw wrapSystemError(error, { action: 'execute', path: program })
  }
}

/** A file without a name: nothing is left of it however this ends. */
function openScratchFile(directory: string): number {
  const path = join(directory, `.output-${String(process.pid)}-${String(runs++)}`)
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
  const fd = openSync(path, flags, 0o600)
  unlinkSync(path)
  return fd
}

function readAll(fd: number): string {
  const bytes = Buffer.alloc(Math.min(fstatSync(fd).size, MAX_OUTPUT_BYTES))
  const readBytes = readSync(fd, bytes, 0, bytes.byteLength, 0)
  return bytes.toString('utf8', 0, readBytes)
}
