/** Which cgroup hierarchies this host has, and where we are in them. Pure but for one read of each file. */
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'

/** A cgroup v1 hierarchy that is mounted here. */
export interface HierarchyV1 {
  /** Controllers, or `name=systemd` for one without any. */
  readonly controllers: readonly string[]
  readonly mountPoint: string
  /** The runtime's own cgroup in it. */
  readonly ownPath: string
}

export interface HierarchyV2 {
  readonly mountPoint: string
  readonly ownPath: string
}

/** `unified` is the only hierarchy on a v2 host, and stands beside those of v1 on a hybrid one. */
export interface CgroupHost {
  readonly version: 1 | 2
  readonly v1: readonly HierarchyV1[]
  readonly unified: HierarchyV2 | undefined
}

export function readCgroupHost(): CgroupHost {
  return parseCgroupHost(
    readFileSync('/proc/self/mountinfo', 'utf8'),
    readFileSync('/proc/self/cgroup', 'utf8'),
  )
}

/**
 * @param mountinfo see proc_pid_mountinfo(5)
 * @param membership /proc/self/cgroup, see cgroups(7)
 * @throws failedPrecondition when no cgroup file system is mounted
 */
export function parseCgroupHost(mountinfo: string, membership: string): CgroupHost {
  const ownPaths = parseMembership(membership)
  const v1: HierarchyV1[] = []
  let unified: HierarchyV2 | undefined
  for (const mount of parseCgroupMounts(mountinfo)) {
    if (mount.type === 'cgroup2') {
      unified ??= {
        mountPoint: mount.mountPoint,
        ownPath: belowMount(mount, ownPaths.get('') ?? '/'),
      }
      continue
    }
    const controllers = mount.options.filter((option) => ownPaths.has(option))
    const [first] = controllers
    const isKnown = v1.some((hierarchy) => hierarchy.controllers[0] === first)
    if (first === undefined || isKnown) continue
    v1.push({
      controllers,
      mountPoint: mount.mountPoint,
      ownPath: belowMount(mount, ownPaths.get(first) ?? '/'),
    })
  }
  if (v1.length === 0 && unified === undefined) {
    throw new PlatformError('failedPrecondition', {
      action: 'find cgroups',
      path: '/proc/self/mountinfo',
      found: 'no cgroup file system',
      wanted: 'cgroup v2 mounted on /sys/fs/cgroup, or the controllers of v1 below it',
      hint: 'mount -t cgroup2 none /sys/fs/cgroup',
    })
  }
  return { version: v1.length === 0 ? 2 : 1, v1, unified }
}

/** Controller (or `name=…`, or empty for v2) → our cgroup. */
function parseMembership(membership: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>()
  for (const line of membership.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line)
    const [, controllers, path] = match ?? []
    if (controllers === undefined || path === undefined) continue
    for (const controller of controllers.split(',')) paths.set(controller, path)
  }
  return paths
}

interface CgroupMount {
  readonly type: 'cgroup' | 'cgroup2'
  /** The directory of the file system that is mounted: not `/` inside another container. */
  readonly root: string
  readonly mountPoint: string
  readonly options: readonly string[]
}

function parseCgroupMounts(mountinfo: string): readonly CgroupMount[] {
  const mounts: CgroupMount[] = []
  for (const line of mountinfo.split('\n')) {
    const separator = line.indexOf(' - cgroup')
    if (separator < 0) continue
    const [, , , root = '/', mountPoint = ''] = line.slice(0, separator).split(' ')
    const [type, , options = ''] = line.slice(separator + ' - '.length).split(' ')
    if (type !== 'cgroup' && type !== 'cgroup2') continue
    mounts.push({
      type,
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      options: options.split(','),
    })
  }
  return mounts
}

/** mountinfo writes blanks in paths as octal escapes. */
function unescapeOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}

/** Where a cgroup of the hierarchy is seen from the mount, which may show only a part of it. */
function belowMount({ root }: CgroupMount, path: string): string {
  if (root === '/') return path
  const below = posix.relative(root, path)
  return below.startsWith('..') ? '/' : posix.join('/', below)
}
