/** Mounts of the Spec → operations. @see runtime-spec v1.3 config.md#mounts */
import { posix } from 'node:path'
import type { Operation } from '../../native/generated/operations.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { MountSpec, Spec } from '../spec/types.ts'
import { type MountOptions, parseMountOptions } from './mount-options.ts'
import { planCgroupMount } from './plan-cgroup-mount.ts'
import type { PlanInput } from './plan-input.ts'

/** File systems whose place must be a real directory: what is read there is trusted (S-06, S-13). */
const TRUSTED_FILE_SYSTEMS: ReadonlySet<string> = new Set(['proc', 'sysfs'])

/** What may be put over parts of /proc: files that lxcfs and its like provide. Anything else could lie to us (S-04). */
const COVERABLE_PROC_PATHS: ReadonlySet<string> = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/loadavg',
  '/proc/meminfo',
  '/proc/net/dev',
  '/proc/slabinfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/sys/crypto/fips_enabled',
  '/proc/sys/kernel/ns_last_pid',
  '/proc/uptime',
])

export function planMounts(spec: Spec, input: PlanInput): readonly Operation[] {
  return spec.mounts.flatMap((mount, index) =>
    planMount(mount, `/mounts/${String(index)}`, spec, input),
  )
}

/** True when the Spec brings a /dev of its own making into which default devices belong. */
export function needsDefaultDevices(spec: Spec): boolean {
  return !spec.mounts.some(
    (mount) =>
      containerPath(mount.destination) === '/dev' &&
      parseMountOptions(mount.options, '/mounts').bind !== 'none',
  )
}

/** Destinations are absolute in the container; a relative one is relative to `/`. */
function containerPath(destination: string): string {
  return posix.resolve('/', destination)
}

function planMount(
  mount: MountSpec,
  pointer: string,
  spec: Spec,
  input: PlanInput,
): readonly Operation[] {
  if (mount.uidMappings.length > 0 || mount.gidMappings.length > 0) {
    throw new PlatformError('unimplemented', {
      action: 'plan mount',
      step: `${pointer}/uidMappings`,
      found: 'id mappings of a mount',
      wanted: 'a mount without id mappings',
    })
  }
  const target = containerPath(mount.destination)
  const options = parseMountOptions(mount.options, pointer)
  const mayCoverProc = checkProcTarget(target, mount, options, pointer)
  if (options.bind !== 'none' || mount.type === 'bind') {
    return [planBind(mount, target, options, mayCoverProc, pointer, input)]
  }
  if (mount.type === 'cgroup') return planCgroupMount(target, options, spec, input)
  if (mount.type === undefined) {
    throw new PlatformError('invalidArgument', {
      action: 'plan mount',
      step: `${pointer}/type`,
      found: 'no type and no bind option',
      wanted: 'a file system type, or the option bind or rbind',
    })
  }
  return [
    {
      op: 'mountFilesystem',
      type: mount.type,
      source: mount.source ?? mount.type,
      options: options.data,
      target,
      attributes: options.attributes.set,
      propagation: options.propagation,
      realDirectory: TRUSTED_FILE_SYSTEMS.has(mount.type),
      mayCoverProc,
    },
    ...planRecursiveAttributes(target, options),
  ]
}

/** A fresh mount has nothing below it, so a recursive attribute is a plain one. */
function planRecursiveAttributes(target: string, options: MountOptions): readonly Operation[] {
  const set = options.recursiveAttributes.set
  return set === 0 ? [] : [{ op: 'setMountAttributes', target, set }]
}

function planBind(
  mount: MountSpec,
  target: string,
  options: MountOptions,
  mayCoverProc: boolean,
  pointer: string,
  input: PlanInput,
): Operation {
  if (mount.source === undefined || mount.source === '') {
    throw new PlatformError('invalidArgument', {
      action: 'plan mount',
      step: `${pointer}/source`,
      found: 'no source',
      wanted: 'the path to bind',
    })
  }
  if (options.data.length > 0) {
    // The superblock belongs to the host: its options are not the container's to set (S-27).
    throw new PlatformError('invalidArgument', {
      action: 'plan mount',
      step: `${pointer}/options`,
      found: `${options.data.join(', ')} on a bind mount`,
      wanted: 'options of the mount itself (ro, nosuid, rprivate …)',
    })
  }
  return {
    op: 'bindMount',
    source: posix.resolve(input.bundle, mount.source),
    target,
    recursive: options.bind === 'rbind',
    set: options.attributes.set,
    clear: options.attributes.clear,
    setRecursive: options.recursiveAttributes.set,
    clearRecursive: options.recursiveAttributes.clear,
    propagation: options.propagation,
    mayCoverProc,
  }
}

/**
 * Refuses what would cover /proc or a part of it. The result says whether the target may lie on procfs: init
 * checks the directory it really finds, so a symlink to /proc is caught there.
 */
function checkProcTarget(
  target: string,
  mount: MountSpec,
  options: MountOptions,
  pointer: string,
): boolean {
  if (target === '/proc') {
    const bindsHostProc = options.bind !== 'none' && mount.source === '/proc'
    if (mount.type === 'proc' || bindsHostProc) return false
  } else if (!target.startsWith('/proc/')) {
    return false
  } else if (COVERABLE_PROC_PATHS.has(target)) {
    return true
  }
  throw new PlatformError('invalidArgument', {
    action: 'plan mount',
    step: `${pointer}/destination`,
    found: `a ${mount.type ?? 'bind'} mount on ${target}`,
    wanted: 'nothing but procfs there: what is read below /proc is trusted',
  })
}
