/** A process object → Plan for `exec`: join what the container is, then become the program. */
import type { Operation } from '../../native/generated/operations.ts'
import { NAMESPACE_FLAGS, type NamespaceType, type ProcessSpec } from '../spec/types.ts'
import type { Plan } from './plan.ts'
import type { SeccompFilter } from './plan-input.ts'
import { planCgroups, planExecution, planIdentity, planLimits } from './plan-process.ts'

export interface ExecPlanInput {
  readonly containerId: string
  /** Namespaces of the container's init that differ from the runtime's, user first, mount last. */
  readonly namespaces: readonly { readonly type: NamespaceType; readonly path: string }[]
  readonly seccomp?: SeccompFilter | undefined
  /** See `PlanInput`. */
  readonly cgroupTaskFiles: readonly string[]
}

export function planExec(process: ProcessSpec, input: ExecPlanInput): Plan {
  const inUserNamespace = input.namespaces.some(({ type }) => type === 'user')
  return {
    cloneFlags: 0,
    namespacePaths: input.namespaces.map(({ path }) => path),
    forks: true,
    operations: [
      // Before the fork, which is born where we are.
      ...planCgroups(input.cgroupTaskFiles),
      ...input.namespaces.map(({ type }, index): Operation => ({
        op: 'joinNamespace',
        file: index,
        kind: NAMESPACE_FLAGS[type],
      })),
      { op: 'forkIntoNamespaces' },
      ...(inUserNamespace ? [{ op: 'becomeNamespaceRoot' } as const] : []),
      { op: 'newSession' },
      { op: 'joinSessionKeyring', name: `_ses.${input.containerId}` },
      ...(needsProc(process) ? [{ op: 'openPrivateProc' } as const] : []),
      ...planLimits(process),
      ...planConsole(process),
      ...planIdentity(process, { seccomp: input.seccomp, maySetGroups: true }),
      ...planExecution(process, input.seccomp),
    ],
  }
}

/** Only what is written through procfs needs one. */
function needsProc(process: ProcessSpec): boolean {
  return (
    process.oomScoreAdj !== undefined ||
    process.apparmorProfile !== undefined ||
    process.selinuxLabel !== undefined
  )
}

function planConsole(process: ProcessSpec): readonly Operation[] {
  if (!process.terminal) return []
  return [
    {
      op: 'openConsole',
      rows: process.consoleSize?.height ?? 0,
      columns: process.consoleSize?.width ?? 0,
      uid: process.user.uid,
      bindConsole: false,
    },
  ]
}
