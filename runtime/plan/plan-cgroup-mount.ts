/** A mount of type `cgroup` → what the container sees at /sys/fs/cgroup. @see runtime-spec v1.3 config-linux.md#control-groups */
import { posix } from 'node:path'
import type { Operation } from '../../native/generated/operations.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Spec } from '../spec/types.ts'
import { MOUNT_ATTR } from './kernel.ts'
import type { MountOptions } from './mount-options.ts'
import type { CgroupHierarchy, PlanInput } from './plan-input.ts'

export function planCgroupMount(
  target: string,
  options: MountOptions,
  spec: Spec,
  input: PlanInput,
): readonly Operation[] {
  const view = input.cgroup
  if (view === undefined) {
    throw new PlatformError('failedPrecondition', {
      action: 'plan mount',
      subject: target,
      found: 'no cgroup file system on this host',
      wanted: 'cgroup v1 or v2 below /sys/fs/cgroup',
    })
  }
  const isPrivate = spec.linux.namespaces.some(({ type }) => type === 'cgroup')
  const attributes = options.attributes.set
  if (view.version === 2) {
    return [
      isPrivate
        ? mountFresh('cgroup2', [], target, attributes, options.propagation)
        : bindOwn(view.hostPath, target, attributes),
    ]
  }
  const places = view.hierarchies.flatMap((hierarchy): readonly Operation[] => {
    const place = posix.join(target, hierarchy.name)
    return [
      isPrivate
        ? mountFresh('cgroup', hierarchy.mountOptions, place, attributes, 0)
        : bindOwn(hierarchy.hostPath, place, attributes),
      ...planControllerLinks(hierarchy, target),
    ]
  })
  return [
    // Writable until the directories of the hierarchies are in it.
    mountFresh('tmpfs', ['mode=755'], target, attributes & ~MOUNT_ATTR.RDONLY, options.propagation),
    ...places,
    ...planSeal(target, attributes),
  ]
}

/** `cpu` → `cpu,cpuacct`: programs look for each controller by its own name. */
function planControllerLinks(hierarchy: CgroupHierarchy, target: string): readonly Operation[] {
  const controllers = hierarchy.name.split(',')
  if (controllers.length === 1) return []
  return controllers.map((controller) => ({
    op: 'makeSymlink',
    target: hierarchy.name,
    path: posix.join(target, controller),
  }))
}

function planSeal(target: string, attributes: number): readonly Operation[] {
  const isReadonly = (attributes & MOUNT_ATTR.RDONLY) !== 0
  return isReadonly ? [{ op: 'setMountAttributes', target, set: MOUNT_ATTR.RDONLY }] : []
}

function mountFresh(
  type: string,
  options: readonly string[],
  target: string,
  attributes: number,
  propagation: number,
): Operation {
  return {
    op: 'mountFilesystem',
    type,
    source: type,
    options,
    target,
    attributes,
    propagation,
    realDirectory: false,
    mayCoverProc: false,
  }
}

/** Without a cgroup namespace the container sees its own cgroup, bound from the host's mount. */
function bindOwn(source: string, target: string, attributes: number): Operation {
  return {
    op: 'bindMount',
    source,
    target,
    recursive: true,
    set: 0,
    clear: 0,
    // Read-only for everything below as well: a writable part would be the host's (S-12).
    setRecursive: attributes,
    clearRecursive: 0,
    propagation: 0,
    mayCoverProc: false,
  }
}
