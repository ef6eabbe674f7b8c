/** A failure record of berth-init → the error a person reads: the one place that maps them. */
import type { Operation } from '../../native/generated/operations.ts'
import type { InitFailure } from '../../native/init-report.ts'
import { codeOfErrno, PlatformError } from '../../proto/errors/platform-error.ts'
import type { Plan } from '../plan/plan.ts'

/** Exit codes a shell gives to what could not be executed. */
export const EXIT_NOT_FOUND = 127
export const EXIT_NOT_EXECUTABLE = 126

/** The program could not be executed: `run` and `exec` end with `exitCode`, as a shell would. */
export class ExecutableError extends PlatformError {
  override readonly name = 'ExecutableError'
  readonly exitCode: number

  constructor(exitCode: number, action: string) {
    super(exitCode === EXIT_NOT_FOUND ? 'notFound' : 'permissionDenied', { action })
    this.exitCode = exitCode
  }
}

export function errorOfInitFailure(failure: InitFailure, plan: Plan, id: string): PlatformError {
  const execute = plan.operations.find((operation) => operation.op === 'execute')
  return errorOf(failure, execute?.argv ?? [], id, plan.operations[failure.opIndex])
}

/** A failure after `start`, whose plan is not at hand any more: hooks, the filter, the execution itself. */
export function errorOfStartFailure(
  failure: InitFailure,
  args: readonly string[],
  id: string,
): PlatformError {
  return errorOf(failure, args, id, undefined)
}

function errorOf(
  failure: InitFailure,
  args: readonly string[],
  id: string,
  operation: Operation | undefined,
): PlatformError {
  if (failure.step === 'find executable' || failure.step === 'execve') {
    return executableError(failure, args[0] ?? '')
  }
  if (failure.step === 'hook exit' || failure.step === 'hook timeout') return hookError(failure, id)
  return new PlatformError(codeOfErrno(failure.errno), {
    action: 'create container process',
    subject: id,
    step: `${describeOperation(operation, failure.opIndex)}, ${failure.step}`,
    ...(failure.detail === '' ? {} : { path: failure.detail }),
    errno: failure.errno,
    ...hintOf(operation, failure),
  })
}

/** The words after `exec:` are those of runc: dockerd reads them to choose its exit code. */
function executableError(failure: InitFailure, program: string): ExecutableError {
  const name = JSON.stringify(program)
  if (failure.errno === 'ENOENT' && failure.step === 'find executable') {
    const reason = program.includes('/')
      ? `stat ${program}: no such file or directory`
      : 'executable file not found in $PATH'
    return new ExecutableError(EXIT_NOT_FOUND, `exec: ${name}: ${reason}`)
  }
  if (failure.errno === 'ENOENT') {
    return new ExecutableError(
      EXIT_NOT_FOUND,
      `exec: ${name}: no such file or directory (the file is there: its interpreter or loader is missing)`,
    )
  }
  const reason = EXEC_REASONS[failure.errno] ?? failure.errno
  return new ExecutableError(EXIT_NOT_EXECUTABLE, `exec: ${name}: ${reason}`)
}

const EXEC_REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOEXEC: 'exec format error',
}

function hookError(failure: InitFailure, id: string): PlatformError {
  const found =
    failure.step === 'hook timeout'
      ? 'a hook that did not end within its timeout'
      : describeWaitStatus(failure.errnoNumber)
  return new PlatformError('failedPrecondition', {
    action: 'run hook of container',
    subject: id,
    path: failure.detail,
    found,
    wanted: 'exit code 0',
  })
}

/** As wait(2) encodes it. */
function describeWaitStatus(status: number): string {
  const signal = status & 0x7f
  return signal === 0
    ? `exit code ${String((status >> 8) & 0xff)}`
    : `death by signal ${String(signal)}`
}

/** What the operation was about, in the words of config.json. */
function describeOperation(operation: Operation | undefined, index: number): string {
  if (operation === undefined) return `operation ${String(index)}`
  switch (operation.op) {
    case 'mountFilesystem':
      return `mount ${operation.type} on ${operation.target}`
    case 'bindMount':
      return `bind ${operation.source} on ${operation.target}`
    case 'openRootfs':
      return 'open rootfs'
    case 'changeDirectory':
      return 'change to cwd'
    case 'setRlimit':
      return `set rlimit ${String(operation.resource)} to ${String(operation.soft)}/${String(operation.hard)}`
    case 'setOomScoreAdj':
      return `set oomScoreAdj to ${String(operation.value)}`
    case 'writeSysctl':
      return `set ${operation.path} to ${operation.value}`
    default:
      return operation.op
  }
}

function hintOf(
  operation: Operation | undefined,
  failure: InitFailure,
): { readonly hint?: string } {
  const hint = operation === undefined ? undefined : hintText(operation, failure)
  return hint === undefined ? {} : { hint }
}

function hintText(operation: Operation, { errno, step }: InitFailure): string | undefined {
  if (operation.op === 'setOomScoreAdj' && errno === 'EACCES') {
    return 'lowering the score needs CAP_SYS_RESOURCE, which this runtime does not have'
  }
  if (operation.op === 'setRlimit' && errno === 'EPERM') {
    return 'raising a hard limit needs CAP_SYS_RESOURCE, which this runtime does not have'
  }
  if (step === 'check target' && errno === 'EPERM') {
    return 'the target lies on procfs, which must not be covered'
  }
  if (errno === 'ELOOP') return 'a symbolic link stands where a real directory is needed'
  if (operation.op === 'openConsole' && errno === 'ENOENT') {
    return 'a terminal needs a devpts mount on /dev/pts'
  }
  return undefined
}
