/** `exec`: one more process in a running container. */
import { closeSync } from 'node:fs'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Cgroup } from '../cgroups/cgroup.ts'
import { openCgroup } from '../cgroups/open.ts'
import type { ExecOptions, LaunchedProcess } from '../api.ts'
import type { Plan } from '../plan/plan.ts'
import type { SeccompFilter } from '../plan/plan-input.ts'
import { planExec } from '../plan/plan-exec.ts'
import { compileSeccompFilter } from '../seccomp/filter.ts'
import { parseSpec } from '../spec/parse.ts'
import { refuseUnsupportedProcess } from '../spec/unsupported.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import { openProcess } from '../state/init-identity.ts'
import type { ContainerRecord } from '../state/record.ts'
import { statusOf } from '../state/status.ts'
import { checkStdio, initStdio } from './create.ts'
import { driveInit } from './drive-init.ts'
import { InitProcess } from './init-process.ts'
import { namespacesToJoin } from './namespaces-of.ts'
import { writePidFile } from './pid-file.ts'

export async function exec(options: ExecOptions): Promise<LaunchedProcess> {
  refuseUnsupportedProcess(options.process)
  checkStdio(options.stdio, options.process)
  const directory = ContainerDirectory.open(options)
  const record = directory.readRecord()
  const status = statusOf(directory, record)
  if (status !== 'running' && status !== 'created') {
    throw notRunning(options.id, status)
  }
  const cgroup = openCgroup(record.cgroupPaths)
  const plan = planFor(options, record, cgroup, seccompOf(directory))
  using init = InitProcess.spawn(plan, {
    stdio: initStdio(options.stdio),
    preserveFds: options.preserveFds ?? [],
    descriptors: [],
    unifiedCgroup: cgroup.unifiedPath,
  })
  try {
    const { consoleFd } = await driveInit(init, plan, options.id, {})
    if (options.pidFile !== undefined) writePidFile(options.pidFile, init.pid)
    return { pid: init.pid, pidfd: init.pidfd, ...(consoleFd === undefined ? {} : { consoleFd }) }
  } catch (error) {
    await init.kill()
    throw error
  }
}

/** A process that joins the container is filtered as the container is. */
function seccompOf(directory: ContainerDirectory): SeccompFilter | undefined {
  const config = directory.readConfig()
  // Most documents without a filter need not be parsed again.
  if (!config.includes('seccomp')) return undefined
  const { seccomp } = parseSpec(config).value.linux
  return seccomp === undefined ? undefined : compileSeccompFilter(seccomp)
}

/** The pidfd keeps init's pid from meaning another process while its namespaces are looked at. */
function planFor(
  options: ExecOptions,
  record: ContainerRecord,
  cgroup: Cgroup,
  seccomp: SeccompFilter | undefined,
): Plan {
  const initPidfd = record.init === undefined ? undefined : openProcess(record.init)
  if (record.init === undefined || initPidfd === undefined) throw notRunning(options.id, 'stopped')
  try {
    return planExec(options.process, {
      containerId: options.id,
      namespaces: namespacesToJoin(record.init.pid),
      seccomp,
      cgroupTaskFiles: cgroup.taskFiles,
    })
  } finally {
    closeSync(initPidfd)
  }
}

function notRunning(id: string, status: string): PlatformError {
  return new PlatformError('failedPrecondition', {
    action: 'exec in container',
    subject: id,
    found: `a container that is ${status}`,
    wanted: 'a running one',
  })
}
