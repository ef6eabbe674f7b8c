/** Where a container's cgroup is. @see runtime-spec v1.3 config-linux.md#cgroups-path */
import { posix } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { CgroupHost } from './hierarchies.ts'

/** The key of the v2 hierarchy in `CgroupPaths`, as in /proc/PID/cgroup and runc's state.json. */
export const UNIFIED = ''

/** Controller name (`memory`, `name=systemd`, empty for v2) → the container's directory. */
export type CgroupPaths = Readonly<Record<string, string>>

/**
 * The directory in every hierarchy. An absolute path is relative to the mount of the hierarchy; a relative
 * one is below our own cgroup there (below its parent on v2, where a cgroup with processes cannot
 * hand controllers to its children). Left out, it is the container's id.
 *
 * @throws invalidArgument when the path would leave the hierarchy (S-22)
 */
export function resolveCgroupPaths(
  host: CgroupHost,
  cgroupsPath: string | undefined,
  containerId: string,
): CgroupPaths {
  const path = cgroupsPath ?? containerId
  checkCgroupsPath(path)
  const entries = host.v1.flatMap(({ controllers, mountPoint, ownPath }) => {
    const directory = resolve(mountPoint, ownPath, path)
    return controllers.map((controller) => [controller, directory] as const)
  })
  const { unified } = host
  if (unified === undefined) return Object.fromEntries(entries)
  const base = host.version === 2 ? posix.dirname(unified.ownPath) : unified.ownPath
  return Object.fromEntries([...entries, [UNIFIED, resolve(unified.mountPoint, base, path)]])
}

function resolve(mountPoint: string, ownPath: string, path: string): string {
  return path.startsWith('/') ? posix.join(mountPoint, path) : posix.join(mountPoint, ownPath, path)
}

function checkCgroupsPath(path: string): void {
  const segments = path.split('/').filter((segment) => segment !== '')
  const isSafe =
    segments.length > 0 &&
    !path.includes('\n') &&
    segments.every((segment) => segment !== '.' && segment !== '..')
  if (isSafe) return
  throw new PlatformError('invalidArgument', {
    action: 'parse config.json',
    step: '/linux/cgroupsPath',
    found: JSON.stringify(path),
    wanted: 'a path below the root of the hierarchies, without . and ..',
  })
}
