/** A bundle → everything `create` is going to do, before it does anything. Needs no root: `plan` prints it. */
import { realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { type PlannedCgroup, planCgroup } from '../cgroups/open.ts'
import type { Plan } from '../plan/plan.ts'
import { planCreate } from '../plan/plan-create.ts'
import { compileSeccompFilter } from '../seccomp/filter.ts'
import type { Bundle } from '../spec/bundle.ts'
import { refuseUnsupported } from '../spec/unsupported.ts'
import { parseContainerId } from '../state/container-id.ts'

export interface PlanContainerOptions {
  readonly id: string
  readonly bundle: Bundle
  readonly noPivot?: boolean | undefined
  readonly noNewKeyring?: boolean | undefined
}

export interface ContainerPlan {
  /** Absolute, on the host. */
  readonly rootfs: string
  readonly cgroup: PlannedCgroup
  readonly plan: Plan
}

/** @throws invalidArgument, notFound, unimplemented: nothing has been made then */
export function planContainer(options: PlanContainerOptions): ContainerPlan {
  const { bundle } = options
  const { spec } = bundle
  const id = parseContainerId(options.id)
  refuseUnsupported(spec)
  const rootfs = findRootfs(bundle)
  const cgroup = planCgroup(id, spec.linux)
  const { seccomp } = spec.linux
  const plan = planCreate(spec, rootfs, {
    containerId: id,
    bundle: bundle.path,
    cgroup: cgroup.view,
    cgroupTaskFiles: cgroup.taskFiles,
    seccomp: seccomp === undefined ? undefined : compileSeccompFilter(seccomp),
    noPivot: options.noPivot,
    noNewKeyring: options.noNewKeyring,
  })
  return { rootfs, cgroup, plan }
}

function findRootfs({ path: bundlePath, spec }: Bundle): string {
  const path = resolve(bundlePath, spec.root.path)
  try {
    const rootfs = realpathSync(path)
    if (statSync(rootfs).isDirectory()) return rootfs
  } catch (error) {
    throw wrapSystemError(error, {
      action: 'find the root file system',
      step: '/root/path',
      path,
      hint: 'the bundle needs a directory with the files of the container',
    })
  }
  throw new PlatformError('invalidArgument', {
    action: 'find the root file system',
    step: '/root/path',
    path,
    found: 'something that is no directory',
    wanted: 'a directory',
  })
}
