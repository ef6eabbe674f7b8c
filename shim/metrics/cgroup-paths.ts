/** Where the kernel keeps a container's accounts. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'

const ROOT = '/sys/fs/cgroup'

export type CgroupPaths =
  | { readonly version: 2; readonly directory: string }
  /** By controller: `memory`, `cpu`, `cpuacct`, `pids` … */
  | { readonly version: 1; readonly directories: ReadonlyMap<string, string> }

/** @throws notFound when the process is gone */
export function cgroupPathsOf(pid: number): CgroupPaths {
  const path = `/proc/${String(pid)}/cgroup`
  try {
    return parseCgroupPaths(
      readFileSync(path, 'utf8'),
      existsSync(join(ROOT, 'cgroup.controllers')),
    )
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') {
      throw new PlatformError('notFound', { action: 'find the cgroup of', subject: String(pid) })
    }
    throw wrapSystemError(error, { action: 'find the cgroup of', subject: String(pid), path })
  }
}

/**
 * @param text of /proc/PID/cgroup: lines of `hierarchy:controllers:path`
 * @see cgroups(7)
 */
export function parseCgroupPaths(text: string, isUnified: boolean): CgroupPaths {
  const lines = text.split('\n').flatMap((line) => {
    const [hierarchy, controllers, ...path] = line.split(':')
    if (hierarchy === undefined || controllers === undefined || path.length === 0) return []
    return [{ hierarchy, controllers, path: path.join(':') }]
  })
  if (isUnified) {
    const unified = lines.find(({ hierarchy }) => hierarchy === '0')
    return { version: 2, directory: join(ROOT, unified?.path ?? '/') }
  }
  const directories = new Map<string, string>()
  for (const { controllers, path } of lines) {
    for (const controller of controllers.split(',')) {
      // Named hierarchies (`name=systemd`) and the unified one count nothing.
      if (controller === '' || controller.includes('=')) continue
      directories.set(controller, join(ROOT, controller, path))
    }
  }
  return { version: 1, directories }
}
