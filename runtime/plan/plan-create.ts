/**
 * Spec → Plan for `create`: pure, the whole order of what happens to a container in one place.
 *
 * @see hardening.md §4 for why the order is what it is
 */
import { type Operation, SYNC_POINTS } from '../../native/generated/operations.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { sysctlPath } from '../spec/sysctl.ts'
import type { HookSpec, Spec } from '../spec/types.ts'
import { MOUNT_ATTR, MS } from './kernel.ts'
import { propagationFlags } from './mount-options.ts'
import type { Plan } from './plan.ts'
import { planDevices } from './plan-devices.ts'
import type { PlanInput } from './plan-input.ts'
import { needsDefaultDevices, planMounts } from './plan-mounts.ts'
import { planNamespaces } from './plan-namespaces.ts'
import { planCgroups, planExecution, planIdentity, planLimits } from './plan-process.ts'

/** Index of the descriptor of the start socket; namespace files follow it. */
export const START_SOCKET_DESCRIPTOR = 0

export function planCreate(spec: Spec, rootfs: string, input: PlanInput): Plan {
  requireOwnMountNamespace(spec)
  const namespaces = planNamespaces(spec, START_SOCKET_DESCRIPTOR + 1)
  const identity = { seccomp: input.seccomp, maySetGroups: true }
  return {
    cloneFlags: namespaces.cloneFlags,
    namespacePaths: namespaces.namespacePaths,
    forks: namespaces.forks,
    operations: [
      // Before a cgroup namespace, which takes the cgroup of that moment as its root.
      ...planCgroups(input.cgroupTaskFiles),
      ...namespaces.operations,
      { op: 'newSession' },
      ...(input.noNewKeyring === true
        ? []
        : [{ op: 'joinSessionKeyring', name: `_ses.${input.containerId}` } as const]),
      ...planNetwork(spec),
      ...planNames(spec),
      { op: 'openPrivateProc' },
      ...planLimits(spec.process),
      ...planRootFileSystem(spec, rootfs, input),
      ...planConsole(spec),
      ...planSysctls(spec),
      ...planProtection(spec),
      ...planPersonality(spec),
      ...planIdentity(spec.process, identity),
      { op: 'awaitStart', socket: START_SOCKET_DESCRIPTOR },
      ...planHooks(spec.hooks.startContainer, spec, input, 'created'),
      ...planExecution(spec.process, input.seccomp),
    ],
  }
}

/** Everything below mounts and pivots: outside a mount namespace of its own that would happen to the host. */
function requireOwnMountNamespace(spec: Spec): void {
  const mount = spec.linux.namespaces.find(({ type }) => type === 'mount')
  if (mount !== undefined && mount.path === undefined) return
  throw new PlatformError('unimplemented', {
    action: 'plan container',
    step: '/linux/namespaces',
    found: mount === undefined ? 'no mount namespace' : `the mount namespace ${String(mount.path)}`,
    wanted: 'a new mount namespace, {"type": "mount"} without a path',
  })
}

function planNetwork(spec: Spec): readonly Operation[] {
  const isNew = spec.linux.namespaces.some(
    ({ type, path }) => type === 'network' && path === undefined,
  )
  return isNew ? [{ op: 'loopbackUp' }] : []
}

function planNames(spec: Spec): readonly Operation[] {
  const operations: Operation[] = []
  if (spec.hostname !== undefined && spec.hostname !== '') {
    operations.push({ op: 'setHostname', name: spec.hostname })
  }
  if (spec.domainname !== undefined && spec.domainname !== '') {
    operations.push({ op: 'setDomainname', name: spec.domainname })
  }
  return operations
}

function planRootFileSystem(spec: Spec, rootfs: string, input: PlanInput): readonly Operation[] {
  const hasRuntimeHooks = spec.hooks.prestart.length + spec.hooks.createRuntime.length > 0
  return [
    // Nothing that is mounted in here reaches the host, and pivot_root needs a parent that is not shared.
    { op: 'setRootPropagation', flags: MS.SLAVE | MS.REC },
    { op: 'openRootfs', path: rootfs },
    ...planMounts(spec, input),
    ...(needsDefaultDevices(spec) ? planDevices(spec) : []),
    { op: 'makeDirectory', path: spec.process.cwd },
    ...(hasRuntimeHooks ? [{ op: 'awaitParent', point: SYNC_POINTS.createRuntime } as const] : []),
    ...planHooks(spec.hooks.createContainer, spec, input, 'creating'),
    input.noPivot === true ? { op: 'moveRoot' } : { op: 'pivotRoot' },
  ]
}

function planConsole(spec: Spec): readonly Operation[] {
  const { process } = spec
  if (!process.terminal) return []
  return [
    {
      op: 'openConsole',
      rows: process.consoleSize?.height ?? 0,
      columns: process.consoleSize?.width ?? 0,
      uid: process.user.uid,
      bindConsole: true,
    },
  ]
}

/** Before /proc/sys becomes read-only. */
function planSysctls(spec: Spec): readonly Operation[] {
  return Object.entries(spec.linux.sysctl).map(([name, value]) => ({
    op: 'writeSysctl',
    // The parser has refused names that are no path.
    path: `sys/${sysctlPath(name) ?? name}`,
    value,
  }))
}

function planProtection(spec: Spec): readonly Operation[] {
  const { rootfsPropagation, readonlyPaths, maskedPaths } = spec.linux
  const propagation = rootfsPropagation === undefined ? 0 : propagationFlags(rootfsPropagation)
  return [
    ...(spec.root.readonly || propagation !== 0
      ? [
          {
            op: 'setRootAttributes',
            set: spec.root.readonly ? MOUNT_ATTR.RDONLY : 0,
            propagation,
          } as const,
        ]
      : []),
    ...readonlyPaths.map((path): Operation => ({ op: 'readonlyPath', path })),
    ...maskedPaths.map((path): Operation => ({ op: 'maskPath', path })),
  ]
}

function planPersonality(spec: Spec): readonly Operation[] {
  const { personality } = spec.linux
  if (personality === undefined) return []
  return [{ op: 'setPersonality', persona: personality.domain === 'LINUX32' ? 0x0008 : 0 }]
}

/** Marks where init writes its own pid into the state. */
const PID_MARK = '"pid":0'

function planHooks(
  hooks: readonly HookSpec[],
  spec: Spec,
  input: PlanInput,
  status: 'creating' | 'created',
): readonly Operation[] {
  if (hooks.length === 0) return []
  const state = JSON.stringify({
    ociVersion: spec.ociVersion,
    id: input.containerId,
    status,
    pid: 0,
    bundle: input.bundle,
    annotations: spec.annotations,
  })
  const at = state.indexOf(PID_MARK) + PID_MARK.length - 1
  return hooks.map((hook): Operation => ({
    op: 'runHook',
    path: hook.path,
    argv: hook.args,
    env: hook.env,
    stateHead: state.slice(0, at),
    stateTail: state.slice(at + 1),
    timeoutMs: (hook.timeoutSeconds ?? 0) * 1000,
  }))
}
