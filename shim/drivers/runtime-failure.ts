/** Makes one error of what a runtime program left behind when it failed. */
import type { ProcessExit } from '../../native/binding.ts'
import { PlatformError, type ErrorCode } from '../../proto/errors/platform-error.ts'

export interface FailedRun {
  readonly verb: string
  readonly exit: ProcessExit
  readonly output: string
  /** Contents of its JSON log. */
  readonly log: string
}

/** What runc and crun say, and what it means. Everything else stays `unknown`, as containerd reports it. */
const MEANINGS: readonly { readonly pattern: RegExp; readonly code: ErrorCode }[] = [
  { pattern: /container.* does not exist|no such container/i, code: 'notFound' },
  { pattern: /process already finished|no such process|container not running/i, code: 'notFound' },
  { pattern: /container with id .* already exists/i, code: 'alreadyExists' },
  {
    pattern: /container .* is not paused|cannot pause|not running or created/i,
    code: 'failedPrecondition',
  },
]

export function failureOfRun(run: FailedRun): PlatformError {
  const said = lastLoggedError(run.log) ?? lastLine(run.output)
  const found = said ?? describeExit(run.exit)
  const code = MEANINGS.find(({ pattern }) => pattern.test(found))?.code ?? 'unknown'
  // dockerd and kubelet recognise a failure of a runtime by these words and what follows them.
  return new PlatformError(code, { action: `OCI runtime ${run.verb} failed: ${found}` })
}

/** runc and crun write one JSON object per line. */
function lastLoggedError(log: string): string | undefined {
  const messages = log.split('\n').flatMap((line) => {
    try {
      const { level, msg } = JSON.parse(line) as Record<string, unknown>
      return (level === 'error' || level === 'fatal') && typeof msg === 'string' ? [msg] : []
    } catch {
      // A line that was cut off, or is no JSON: the others may still say it.
      return []
    }
  })
  return messages.at(-1)
}

function lastLine(output: string): string | undefined {
  return output.trim().split('\n').at(-1) || undefined
}

function describeExit(exit: ProcessExit): string {
  switch (exit.kind) {
    case 'exited':
      return `exit status ${String(exit.exitCode)} and no message`
    case 'signaled':
      return `death by signal ${String(exit.signal)}`
    case 'unknown':
      return 'an end nobody saw'
  }
}
