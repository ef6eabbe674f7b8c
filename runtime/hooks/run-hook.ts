/** Runs one hook on the host. @see runtime-spec v1.3 config.md#posix-platform-hooks */
import { closeSync, openSync, readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { native, type ProcessExit } from '../../native/binding.ts'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { HookSpec } from '../spec/types.ts'

const SIGKILL = 9

/** What is shown of a failed hook's output. */
const OUTPUT_LIMIT_BYTES = 4096

/** A hook may leave a process behind that keeps its output open: the rest is not waited for longer. */
const OUTPUT_GRACE_MS = 100

/**
 * @param stateJson what the hook reads on stdin
 * @param cwd absolute; the bundle, as in runc
 * @throws failedPrecondition when it ends with anything but 0, deadlineExceeded after its timeout
 */
export async function runHook(hook: HookSpec, stateJson: string, cwd: string): Promise<void> {
  const [outputEnd, hookEnd] = native().pipe()
  // Not a pipe: a hook that does not read its stdin must not stall us.
  const stateFd = native().sealedMemfd('state', Buffer.from(stateJson))
  const stdin = openSync(`/proc/self/fd/${stateFd}`, 'r')
  const output = collectOutput(outputEnd)
  let exited: Promise<ProcessExit>
  let kill: () => void
  try {
    const { pid, pidfd } = native().spawn({
      executable: hook.path,
      argv: hook.args,
      env: hook.env,
      fds: [stdin, hookEnd, hookEnd],
      cwd,
      newProcessGroup: true,
    })
    exited = watch(pidfd)
    kill = () => {
      killGroup(pid)
    }
  } catch (error) {
    throw wrapSystemError(error, { action: 'run hook', path: hook.path })
  } finally {
    for (const fd of [stdin, stateFd, hookEnd]) closeSync(fd)
  }
  const { exit, isLate } = await endWithin(hook.timeoutSeconds, exited, kill)
  if (!isLate && exit.kind === 'exited' && exit.exitCode === 0) {
    output.close()
    return
  }
  const text = await output.text()
  throw new PlatformError(isLate ? 'deadlineExceeded' : 'failedPrecondition', {
    action: 'run hook',
    path: hook.path,
    found: isLate ? 'no end' : describeExit(exit),
    wanted: isLate ? `an end within ${hook.timeoutSeconds ?? 0} s` : 'exit code 0',
    hint: text === '' ? undefined : `it said: ${text}`,
  })
}

interface HookEnd {
  readonly exit: ProcessExit
  /** It was killed after its timeout. */
  readonly isLate: boolean
}

async function endWithin(
  timeoutSeconds: number | undefined,
  exited: Promise<ProcessExit>,
  kill: () => void,
): Promise<HookEnd> {
  if (timeoutSeconds === undefined) return { exit: await exited, isLate: false }
  const timeout = new AbortController()
  const late = sleep(timeoutSeconds * 1000, undefined, { signal: timeout.signal }).catch(
    () => undefined,
  )
  const exit = await Promise.race([exited, late])
  timeout.abort()
  if (exit !== undefined) return { exit, isLate: false }
  kill()
  return { exit: await exited, isLate: true }
}

function watch(pidfd: number): Promise<ProcessExit> {
  return new Promise((resolve) => {
    native().watchExit(pidfd, (exit) => {
      closeSync(pidfd)
      resolve(exit)
    })
  })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, SIGKILL)
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}

function describeExit(exit: ProcessExit): string {
  switch (exit.kind) {
    case 'exited':
      return `exit code ${exit.exitCode}`
    case 'signaled':
      return `death by signal ${exit.signal}`
    case 'unknown':
      return 'an end of unknown kind'
  }
}

interface Output {
  /** What was written, once it ended or the grace time is over. */
  text(): Promise<string>
  close(): void
}

/** Reads all, so that the hook never waits for us, and keeps the beginning. */
function collectOutput(fd: number): Output {
  const kept: Buffer[] = []
  let keptBytes = 0
  let isOpen = true
  let onEnd: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    onEnd = resolve
  })
  const close = (): void => {
    if (!isOpen) return
    isOpen = false
    native().unwatchReadable(fd)
    closeSync(fd)
    onEnd()
  }
  const read = (): void => {
    if (!isOpen) return
    const buffer = Buffer.alloc(OUTPUT_LIMIT_BYTES)
    const length = readSync(fd, buffer)
    if (length === 0) {
      close()
      return
    }
    const rest = OUTPUT_LIMIT_BYTES - keptBytes
    kept.push(buffer.subarray(0, Math.min(length, rest)))
    keptBytes = Math.min(keptBytes + length, OUTPUT_LIMIT_BYTES)
    native().watchReadable(fd, read)
  }
  native().watchReadable(fd, read)
  return {
    close,
    text: async () => {
      const grace = setTimeout(close, OUTPUT_GRACE_MS)
      await ended
      clearTimeout(grace)
      return Buffer.concat(kept).toString().trim()
    },
  }
}
