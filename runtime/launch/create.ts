/**
 * `create`: a bundle becomes a process that has everything but its program. What is made on the way is undone in
 * reverse when a later step fails.
 *
 * @see runtime-spec v1.3 runtime.md#create
 */
import { closeSync } from 'node:fs'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Cgroup } from '../cgroups/cgroup.ts'
import { hookState, runBlockingHooks } from '../hooks/run-hooks.ts'
import type { CreateOptions, LaunchedProcess, ProcessStdio } from '../api.ts'
import type { Plan } from '../plan/plan.ts'
import type { ProcessSpec, Spec } from '../spec/types.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import { identifyProcess } from '../state/init-identity.ts'
import type { ContainerRecord } from '../state/record.ts'
import { warn } from '../warnings.ts'
import { type DrivenInit, driveInit } from './drive-init.ts'
import { writeIdMaps } from './id-maps.ts'
import { InitProcess } from './init-process.ts'
import { writePidFile } from './pid-file.ts'
import { planContainer } from './plan-container.ts'
import { listenForStart } from './start-socket.ts'

/** What was made, for who goes on with it in the same process. */
export interface CreatedContainer extends LaunchedProcess {
  readonly directory: ContainerDirectory
  readonly record: ContainerRecord
  readonly spec: Spec
}

export async function create(options: CreateOptions): Promise<CreatedContainer> {
  const { bundle, id } = options
  const { spec } = bundle
  for (const warning of bundle.warnings) warn(warning)
  const { rootfs, cgroup: plannedCgroup, plan } = planContainer(options)
  checkStdio(options.stdio, spec.process)

  const directory = ContainerDirectory.create(options)
  using _lock = await directory.lock()
  let cgroup: Cgroup | undefined
  try {
    const record: ContainerRecord = {
      id,
      ociVersion: spec.ociVersion,
      bundle: bundle.path,
      rootfs,
      created: new Date().toISOString(),
      annotations: spec.annotations,
      cgroupPaths: plannedCgroup.paths,
    }
    // Before the cgroups exist: whatever happens, `delete` knows what to remove.
    directory.writeConfig(bundle.config)
    directory.writeRecord(record)
    cgroup = await plannedCgroup.create()
    return await launch(options, spec, plan, directory, record, cgroup)
  } catch (error) {
    await undo(directory, cgroup)
    throw error
  }
}

/**
 * Why the creation failed is what the caller must hear, so what cannot be undone is a warning. The record stays
 * then: `delete` knows from it what is left.
 */
async function undo(directory: ContainerDirectory, cgroup: Cgroup | undefined): Promise<void> {
  try {
    // A hook may have left processes in it.
    await cgroup?.killAll()
    await cgroup?.destroy()
    directory.remove()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    warn(`undo the creation of ${directory.id}: ${reason} (berth-runtime delete removes the rest)`)
  }
}

async function launch(
  options: CreateOptions,
  spec: Spec,
  plan: Plan,
  directory: ContainerDirectory,
  record: ContainerRecord,
  cgroup: Cgroup,
): Promise<CreatedContainer> {
  const startSocket = listenForStart(directory.path)
  let init: InitProcess
  try {
    init = InitProcess.spawn(plan, {
      stdio: initStdio(options.stdio),
      preserveFds: options.preserveFds ?? [],
      descriptors: [startSocket],
      unifiedCgroup: cgroup.unifiedPath,
    })
  } finally {
    closeSync(startSocket)
  }
  using channel = init
  try {
    const driven = await driveInit(channel, plan, options.id, {
      idMap: (pid) => {
        writeIdMaps(pid, spec.linux)
      },
      createRuntime: (pid) => runCreationHooks(spec, record, pid),
    })
    requireReady(driven, options.id)
    const complete = { ...record, init: identifyProcess(channel.pid) }
    directory.writeRecord(complete)
    if (options.pidFile !== undefined) writePidFile(options.pidFile, channel.pid)
    return {
      directory,
      record: complete,
      spec,
      pid: channel.pid,
      pidfd: channel.pidfd,
      ...(driven.consoleFd === undefined ? {} : { consoleFd: driven.consoleFd }),
    }
  } catch (error) {
    await channel.kill()
    throw error
  }
}

/** @see runtime-spec v1.3 config.md#prestart, config.md#createruntime-hooks */
async function runCreationHooks(spec: Spec, record: ContainerRecord, pid: number): Promise<void> {
  const state = hookState(record, 'creating', pid)
  await runBlockingHooks('prestart', spec.hooks.prestart, state)
  await runBlockingHooks('createRuntime', spec.hooks.createRuntime, state)
}

/** Init that ends without a word was killed from outside: the memory limit, or somebody's signal. */
function requireReady(driven: DrivenInit, id: string): void {
  if (driven.outcome === 'ready') return
  if (driven.consoleFd !== undefined) closeSync(driven.consoleFd)
  throw new PlatformError('failedPrecondition', {
    action: 'create container',
    subject: id,
    found: 'berth-init killed before it was ready',
    wanted: 'a process that waits to be started',
    hint: 'a memory limit below what the set-up needs kills it; see the kernel log',
  })
}

/** The descriptors of a process with a terminal come from the terminal. */
export function initStdio(stdio: ProcessStdio): readonly [number, number, number] {
  switch (stdio.kind) {
    case 'descriptors':
      return [stdio.stdin, stdio.stdout, stdio.stderr]
    case 'terminal':
      return [-1, -1, -1]
  }
}

/** A terminal is asked for by config.json and received by the caller: both or none. */
export function checkStdio(stdio: ProcessStdio, process: ProcessSpec): void {
  if (process.terminal === (stdio.kind === 'terminal')) return
  throw new PlatformError('invalidArgument', {
    action: 'create container process',
    step: '/process/terminal',
    found: process.terminal
      ? 'true, and nobody to receive the terminal'
      : 'false, and somebody who waits for a terminal',
    wanted: process.terminal ? 'a console socket, or false' : 'true, or no console socket',
  })
}
