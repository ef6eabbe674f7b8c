/**
 * Namespaces of the Spec → how init is cloned and what it does first.
 *
 * When all are plain new ones, clone3 makes them and init starts inside. When one is joined by path, the order
 * matters (a user namespace first, so that the others belong to it), so init does it step by step; and
 * since a process never changes its own pid namespace, it then forks.
 *
 * @see runtime-spec v1.3 config-linux.md#namespaces
 */
import { type Operation, SYNC_POINTS } from '../../native/generated/operations.ts'
import {
  NAMESPACE_FLAGS,
  type NamespaceSpec,
  type NamespaceType,
  type Spec,
} from '../spec/types.ts'

export interface NamespacePlan {
  readonly cloneFlags: number
  readonly namespacePaths: readonly string[]
  readonly forks: boolean
  readonly operations: readonly Operation[]
}

/** User first: it owns the others. Mount last: it changes what paths mean. */
const JOIN_ORDER: readonly NamespaceType[] = [
  'user',
  'ipc',
  'uts',
  'network',
  'pid',
  'cgroup',
  'time',
  'mount',
]

/** Those a process gets only by forking after it asked for them. */
const NEEDS_FORK: ReadonlySet<NamespaceType> = new Set(['pid', 'time'])

/**
 * Time: its offsets are written before a process enters it. User: before its id maps are written init has no
 * mapped id, and its execve would take every capability away.
 */
const STEPWISE_ONLY: ReadonlySet<NamespaceType> = new Set(['time', 'user'])

export function planNamespaces(spec: Spec, firstDescriptor: number): NamespacePlan {
  const { namespaces } = spec.linux
  const joined = JOIN_ORDER.flatMap((type) =>
    namespaces.filter((namespace) => namespace.type === type && namespace.path !== undefined),
  )
  const created = namespaces.filter(({ path }) => path === undefined).map(({ type }) => type)
  const stepwise = joined.length > 0 || created.some((type) => STEPWISE_ONLY.has(type))
  return stepwise ? planStepwise(spec, joined, created, firstDescriptor) : planDirect(created)
}

/** The cgroup namespace is unshared once the process is in its cgroup: that becomes its root. */
function planDirect(created: readonly NamespaceType[]): NamespacePlan {
  return {
    cloneFlags: flagsOf(created.filter((type) => type !== 'cgroup')),
    namespacePaths: [],
    forks: false,
    operations: created.includes('cgroup')
      ? [{ op: 'unshareNamespaces', flags: NAMESPACE_FLAGS.cgroup }]
      : [],
  }
}

function planStepwise(
  spec: Spec,
  joined: readonly NamespaceSpec[],
  created: readonly NamespaceType[],
  firstDescriptor: number,
): NamespacePlan {
  const newUser = created.includes('user')
  const others = created.filter((type) => type !== 'user')
  const forks = [...created, ...joined.map(({ type }) => type)].some((type) => NEEDS_FORK.has(type))
  return {
    cloneFlags: 0,
    namespacePaths: joined.flatMap(({ path }) => (path === undefined ? [] : [path])),
    forks,
    operations: [
      ...joined.map(({ type }, index): Operation => ({
        op: 'joinNamespace',
        file: firstDescriptor + index,
        kind: NAMESPACE_FLAGS[type],
      })),
      ...(newUser
        ? ([
            { op: 'unshareNamespaces', flags: NAMESPACE_FLAGS.user },
            { op: 'awaitParent', point: SYNC_POINTS.idMap },
          ] as const)
        : []),
      ...(newUser || joined.some(({ type }) => type === 'user')
        ? [{ op: 'becomeNamespaceRoot' } as const]
        : []),
      ...(others.length > 0 ? [{ op: 'unshareNamespaces', flags: flagsOf(others) } as const] : []),
      ...planTimeOffsets(spec),
      ...(forks ? [{ op: 'forkIntoNamespaces' } as const] : []),
    ],
  }
}

function planTimeOffsets(spec: Spec): readonly Operation[] {
  return Object.entries(spec.linux.timeOffsets).map(([clock, { secs, nanosecs }]) => ({
    op: 'setTimeOffset',
    clock,
    seconds: String(secs),
    nanoseconds: nanosecs,
  }))
}

function flagsOf(types: readonly NamespaceType[]): number {
  return types.reduce((flags, type) => flags | NAMESPACE_FLAGS[type], 0)
}
