/** The ways to a Cgroup: a new one from a Spec, an existing one from the state file. */
import { posix } from 'node:path'
import type { CgroupView } from '../plan/plan-input.ts'
import type { LinuxSpec } from '../spec/types.ts'
import type { Cgroup } from './cgroup.ts'
import { type CgroupPaths, resolveCgroupPaths, UNIFIED } from './cgroup-path.ts'
import { CgroupV1 } from './cgroup-v1.ts'
import { CgroupV2 } from './cgroup-v2.ts'
import { type CgroupHost, readCgroupHost } from './hierarchies.ts'

export interface CreatedCgroup {
  readonly cgroup: Cgroup
  /** What a mount of type `cgroup` in the container shows. */
  readonly view: CgroupView
}

/**
 * Makes the container's cgroup with its limits and device rules, before any process exists.
 *
 * @throws invalidArgument, failedPrecondition; nothing is left behind then
 */
export async function createCgroup(containerId: string, linux: LinuxSpec): Promise<CreatedCgroup> {
  const host = readCgroupHost()
  const paths = resolveCgroupPaths(host, linux.cgroupsPath, containerId)
  const unified = paths[UNIFIED]
  if (host.version === 2 && host.unified !== undefined && unified !== undefined) {
    const cgroup = await CgroupV2.create(unified, host.unified.mountPoint, linux.resources)
    return { cgroup, view: { version: 2, hostPath: unified } }
  }
  const cgroup = await CgroupV1.create(paths, linux.resources)
  return { cgroup, view: { version: 1, hierarchies: viewHierarchies(host, paths) } }
}

/** @param paths of a Cgroup made before */
export function openCgroup(paths: CgroupPaths): Cgroup {
  const unified = paths[UNIFIED]
  const isV2 = unified !== undefined && Object.keys(paths).length === 1
  return isV2 ? new CgroupV2(unified) : new CgroupV1(paths)
}

function viewHierarchies(host: CgroupHost, paths: CgroupPaths) {
  return host.v1.flatMap(({ controllers, mountPoint }) => {
    const hostPath = paths[controllers[0] ?? '']
    if (hostPath === undefined) return []
    return [{ name: posix.basename(mountPoint), mountOptions: controllers, hostPath }]
  })
}
