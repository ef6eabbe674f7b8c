/** The container's root file system: what the client's snapshotter says is mounted on `<bundle>/rootfs`. */
import { closeSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount } from '../proto/generated/containerd/types/mount.ts'
import { PlatformError, errnoOf, wrapSystemError } from '../proto/errors/platform-error.ts'
import { native } from '../native/binding.ts'

const AT_FDCWD = -100
const AT_RECURSIVE = 0x8000
const OPEN_TREE_CLONE = 1
const MNT_DETACH = 2
const UMOUNT_NOFOLLOW = 8

const MOUNT_ATTR = {
  rdonly: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
  nosymfollow: 0x200000,
} as const
const MOUNT_ATTR_ATIME = 0x70

/** Options that are attributes of the mount and not parameters of the file system. */
const ATTRIBUTES: Readonly<Record<string, { readonly set: number; readonly clear: number }>> = {
  ro: { set: MOUNT_ATTR.rdonly, clear: 0 },
  rw: { set: 0, clear: MOUNT_ATTR.rdonly },
  nosuid: { set: MOUNT_ATTR.nosuid, clear: 0 },
  suid: { set: 0, clear: MOUNT_ATTR.nosuid },
  nodev: { set: MOUNT_ATTR.nodev, clear: 0 },
  dev: { set: 0, clear: MOUNT_ATTR.nodev },
  noexec: { set: MOUNT_ATTR.noexec, clear: 0 },
  exec: { set: 0, clear: MOUNT_ATTR.noexec },
  noatime: { set: MOUNT_ATTR.noatime, clear: MOUNT_ATTR_ATIME },
  relatime: { set: 0, clear: MOUNT_ATTR_ATIME },
  strictatime: { set: MOUNT_ATTR.strictatime, clear: MOUNT_ATTR_ATIME },
  nodiratime: { set: MOUNT_ATTR.nodiratime, clear: 0 },
  nosymfollow: { set: MOUNT_ATTR.nosymfollow, clear: 0 },
}

export interface MountPlan {
  readonly kind: 'bind' | 'filesystem'
  readonly isRecursive: boolean
  readonly attributes: { readonly set: number; readonly clear: number }
  /** In order; a parameter without value is a flag. */
  readonly parameters: readonly { readonly key: string; readonly value?: string }[]
}

/** Sorts a mount's options into what each call of the mount API takes. */
export function planMount({ type, options }: Pick<Mount, 'type' | 'options'>): MountPlan {
  let set = 0
  let clear = 0
  let isBind = type === 'bind'
  let isRecursive = false
  const parameters: { key: string; value?: string }[] = []
  for (const option of options) {
    const attribute = ATTRIBUTES[option]
    if (attribute !== undefined) {
      set = (set & ~attribute.clear) | attribute.set
      clear |= attribute.clear
      continue
    }
    if (option === 'bind' || option === 'rbind') {
      isBind = true
      isRecursive ||= option === 'rbind'
      continue
    }
    const equals = option.indexOf('=')
    if (equals === -1) parameters.push({ key: option })
    else parameters.push({ key: option.slice(0, equals), value: option.slice(equals + 1) })
  }
  return {
    kind: isBind ? 'bind' : 'filesystem',
    isRecursive,
    attributes: { set, clear },
    parameters,
  }
}

/**
 * Mounts in order on `<bundle>/rootfs`. When one fails, those before it are taken away again.
 *
 * @throws the kernel's reason with the mount's index and source
 */
export function mountRootfs(bundle: string, mounts: readonly Mount[]): void {
  if (mounts.length === 0) return
  const target = join(bundle, 'rootfs')
  mkdirSync(target, { recursive: true, mode: 0o711 })
  for (const [index, mount] of mounts.entries()) {
    try {
      mountOne(mount, target)
    } catch (error) {
      unmountRootfs(bundle)
      const facts = {
        action: `mount ${mount.type} on`,
        path: target,
        step: `rootfs[${String(index)}]`,
      }
      throw wrapSystemError(error, { ...facts, found: describe(mount, error) })
    }
  }
}

/** Takes away all that is mounted on `<bundle>/rootfs`; nothing there is no error. */
export function unmountRootfs(bundle: string): void {
  const target = join(bundle, 'rootfs')
  for (;;) {
    try {
      native().umount(target, MNT_DETACH | UMOUNT_NOFOLLOW)
    } catch (error) {
      const errno = errnoOf(error)
      // EINVAL: no mount point (any more).
      if (errno === 'EINVAL' || errno === 'ENOENT' || errno === 'ENOTDIR') return
      throw wrapSystemError(error, { action: 'unmount', path: target })
    }
  }
}

function mountOne(mount: Mount, target: string): void {
  if (mount.target !== '') {
    throw new PlatformError('unimplemented', {
      action: 'mount into the root file system',
      found: `target ${mount.target}`,
      wanted: 'no target: mounts on the root itself',
    })
  }
  const plan = planMount(mount)
  const fd = plan.kind === 'bind' ? openBind(mount.source, plan) : openFilesystem(mount, plan)
  try {
    native().moveMount(fd, AT_FDCWD, target)
  } finally {
    closeSync(fd)
  }
}

function openBind(source: string, { isRecursive, attributes }: MountPlan): number {
  const fd = native().openTree(AT_FDCWD, source, OPEN_TREE_CLONE | (isRecursive ? AT_RECURSIVE : 0))
  if (attributes.set === 0 && attributes.clear === 0) return fd
  try {
    native().mountSetattr(fd, '', isRecursive, attributes)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function openFilesystem({ type, source }: Mount, { attributes, parameters }: MountPlan): number {
  const fd = native().fsopen(type)
  try {
    if (source !== '') native().fsconfigString(fd, 'source', source)
    for (const { key, value } of parameters) {
      if (value === undefined) native().fsconfigFlag(fd, key)
      else if (type === 'overlay' && key === 'lowerdir') configureLowerDirectories(fd, value)
      else native().fsconfigString(fd, key, value)
    }
    native().fsconfigCreate(fd)
    return native().fsmount(fd, attributes.set)
  } finally {
    closeSync(fd)
  }
}

/**
 * One call takes at most 255 bytes, so layers are appended one by one where the kernel can (6.5). A list with
 * data-only layers (`::`) or escaped colons is passed as it is.
 */
function configureLowerDirectories(fd: number, list: string): void {
  if (list.includes('::') || list.includes('\\')) {
    native().fsconfigString(fd, 'lowerdir', list)
    return
  }
  const [first, ...others] = list.split(':')
  try {
    native().fsconfigString(fd, 'lowerdir+', first ?? '')
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw error
    native().fsconfigString(fd, 'lowerdir', list)
    return
  }
  for (const directory of others) native().fsconfigString(fd, 'lowerdir+', directory)
}

function describe({ type, source, options }: Mount, error: unknown): string {
  const reason = error instanceof Error ? `: ${error.message}` : ''
  return `${type} of ${source} with ${options.join(',')}${reason}`
}
