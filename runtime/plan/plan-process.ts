/**
 * The process object → the operations that turn init into the program; the same for `create` and `exec`.
 *
 * @see runtime-spec v1.3 config.md#process
 */
import type { Operation } from '../../native/generated/operations.ts'
import { capabilityMask } from '../spec/capabilities.ts'
import {
  IO_PRIORITY_CLASSES,
  type ProcessSpec,
  RLIMIT_NUMBERS,
  type Scheduler,
  SCHEDULER_FLAGS,
  SCHEDULER_POLICIES,
} from '../spec/types.ts'
import type { SeccompFilter } from './plan-input.ts'

/** What the program gets when it does not ask for another, as a login shell would. */
const DEFAULT_UMASK = 0o022

/** The class of ioprio_set(2) stands above its data. */
const IO_PRIORITY_CLASS_SHIFT = 13

export function planCgroups(taskFiles: readonly string[]): readonly Operation[] {
  return taskFiles.length === 0 ? [] : [{ op: 'joinCgroups', taskFiles }]
}

/** Limits and scores: set while init is still privileged. */
export function planLimits(process: ProcessSpec): readonly Operation[] {
  return [
    ...(process.oomScoreAdj === undefined
      ? []
      : [{ op: 'setOomScoreAdj', value: process.oomScoreAdj } as const]),
    ...process.rlimits.map(({ type, soft, hard }): Operation => ({
      op: 'setRlimit',
      resource: RLIMIT_NUMBERS[type],
      soft,
      hard,
    })),
    ...planScheduling(process),
  ]
}

function planScheduling(process: ProcessSpec): readonly Operation[] {
  const operations: Operation[] = []
  if (process.scheduler !== undefined) operations.push(planScheduler(process.scheduler))
  if (process.ioPriority !== undefined) {
    const { class: ioClass, priority } = process.ioPriority
    const value = (IO_PRIORITY_CLASSES[ioClass] << IO_PRIORITY_CLASS_SHIFT) | priority
    operations.push({ op: 'setIoPriority', priority: value })
  }
  return operations
}

function planScheduler(scheduler: Scheduler): Operation {
  return {
    op: 'setScheduler',
    policy: SCHEDULER_POLICIES[scheduler.policy],
    flags: scheduler.flags.reduce((bits, flag) => bits | BigInt(SCHEDULER_FLAGS[flag]), 0n),
    nice: scheduler.nice,
    priority: scheduler.priority,
    runtime: scheduler.runtimeNs,
    deadline: scheduler.deadlineNs,
    period: scheduler.periodNs,
  }
}

export interface IdentityOptions {
  readonly seccomp: SeccompFilter | undefined
  /** setgroups is denied in a user namespace whose gid map an unprivileged user wrote. */
  readonly maySetGroups: boolean
}

/** User, capabilities, directory, executable. */
export function planIdentity(process: ProcessSpec, options: IdentityOptions): readonly Operation[] {
  const { user, capabilities } = process
  const { seccomp } = options
  const permitted = capabilityMask(capabilities.permitted)
  const inheritable = capabilityMask(capabilities.inheritable)
  return [
    ...planLabels(process),
    ...(process.noNewPrivileges ? [{ op: 'setNoNewPrivileges' } as const] : []),
    // Without no_new_privs only a privileged process may install a filter, so it must be now.
    ...(process.noNewPrivileges ? [] : planSeccomp(seccomp)),
    { op: 'ownStdio', uid: user.uid },
    { op: 'changeDirectory', path: process.cwd, deferrable: true },
    { op: 'dropBoundingCapabilities', keep: capabilityMask(capabilities.bounding) },
    {
      op: 'setIdentity',
      uid: user.uid,
      gid: user.gid,
      groups: user.additionalGids,
      setGroups: options.maySetGroups,
    },
    {
      op: 'setCapabilities',
      effective: capabilityMask(capabilities.effective),
      permitted,
      inheritable,
      // The kernel takes only what is both; runc's own default spec asks for more and gets this.
      ambient: capabilityMask(capabilities.ambient) & permitted & inheritable,
    },
    { op: 'setUmask', mask: user.umask ?? DEFAULT_UMASK },
    // A directory only the user may enter (NFS, a private home) is tried again as the user.
    { op: 'changeDirectory', path: process.cwd, deferrable: false },
    { op: 'resolveExecutable', candidates: executableCandidates(process) },
    ...(hasVariable(process, 'HOME') ? [] : [{ op: 'findHome', uid: user.uid } as const]),
  ]
}

/** The last operations: a filter as late as it can be, so that it does not have to allow what init does. */
export function planExecution(
  process: ProcessSpec,
  seccomp: SeccompFilter | undefined,
): readonly Operation[] {
  return [
    ...(process.noNewPrivileges ? planSeccomp(seccomp) : []),
    { op: 'execute', argv: process.args, env: process.env },
  ]
}

function planSeccomp(seccomp: SeccompFilter | undefined): readonly Operation[] {
  if (seccomp === undefined) return []
  return [{ op: 'loadSeccomp', flags: seccomp.flags, program: seccomp.program }]
}

function planLabels(process: ProcessSpec): readonly Operation[] {
  const operations: Operation[] = []
  if (process.apparmorProfile !== undefined) {
    operations.push({
      op: 'writeLabel',
      attribute: 'apparmor/exec',
      value: `exec ${process.apparmorProfile}`,
    })
  }
  if (process.selinuxLabel !== undefined) {
    operations.push({ op: 'writeLabel', attribute: 'exec', value: process.selinuxLabel })
  }
  return operations
}

/** What execvp would try: the name itself when it has a slash, else each directory of the program's own PATH. */
function executableCandidates({ args, env }: ProcessSpec): readonly string[] {
  const name = args[0] ?? ''
  if (name.includes('/')) return [name]
  const path = variable(env, 'PATH') ?? ''
  return path
    .split(':')
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => `${directory.replace(/\/+$/, '')}/${name}`)
}

function hasVariable({ env }: ProcessSpec, name: string): boolean {
  return variable(env, name) !== undefined
}

/** A later entry wins, as in the Spec's environment. */
function variable(env: readonly string[], name: string): string | undefined {
  return env.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1)
}
