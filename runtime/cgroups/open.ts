/** The ways to a Cgroup: a new one from a Spec, an existing one from the state file. */
import { posix } from 'node:path'
import type { CgroupView } from '../plan/plan-input.ts'
import type { LinuxSpec } from '../spec/types.ts'
import type { Cgroup } from './cgroup.ts'
import { type CgroupPaths, resolveCgroupPaths, UNIFIED } from './cgroup-path.ts'
import { CgroupV1, taskFilesOf } from './cgroup-v1.ts'
import { CgroupV2 } from './cgroup-v2.ts'
import { type CgroupHost, readCgroupHost } from './hierarchies.ts'

/** A cgroup that is not there yet: what it will be is known, and can be written down before it is made. */
export interface PlannedCgroup {
  readonly paths: CgroupPaths
  /** See `Cgroup.taskFiles`. */
  readonly taskFiles: readonly string[]
  /** What a mount of type `cgroup` in the container shows. */
  readonly view: CgroupView
  /**
   * Makes it with its limits and device rules.
   *
   * @throws invalidArgument, failedPrecondition; nothing is left behind then
   */
  create(): Promise<Cgroup>
}

/** @throws invalidArgument, failedPrecondition */
export function planCgroup(containerId: string, linux: LinuxSpec): PlannedCgroup {
  const host = readCgroupHost()
  const paths = resolveCgroupPaths(host, linux.cgroupsPath, containerId)
  const unified = paths[UNIFIED]
  if (host.version === 2 && host.unified !== undefined && unified !== undefined) {
    const { mountPoint } = host.unified
    return {
      paths,
      taskFiles: [],
      view: { version: 2, hostPath: unified },
      create: () => CgroupV2.create(unified, mountPoint, linux.resources),
    }
  }
  return {
    paths,
    taskFiles: taskFilesOf(paths),
    view: { version: 1, hierarchies: viewHierarchies(host, paths) },
    create: () => CgroupV1.create(paths, linux.resources),
  }
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
