/** The ways a task ends: deleted by a client, never finished being made, or left behind by a dead shim. */
import { basename } from 'node:path'
import type { DeleteResponse } from '../../proto/generated/containerd/runtime/task/v2/shim.ts'
import { nowNs, timestampToProto } from '../metadata/timestamp.ts'
import type { EventSink, Log, ShimHost } from './ports.ts'
import type { ExitStatus, ProcessState } from './process-state.ts'
import type { Witness } from './process-witness.ts'
import { BERTH_SHIM } from './runtime-name.ts'
import { deleteWithShim, type ShimProgramOptions } from './shim-program.ts'
import { publishExit } from './task-events.ts'
import { writeTaskRecord } from './task-record.ts'
import type { Task } from './task-table.ts'
import { reasonOf } from './reason.ts'

export interface EndOptions {
  readonly log: Log
  readonly events: EventSink
  readonly host: ShimHost
  readonly shim: ShimProgramOptions
}

const UNKNOWN_EXIT_STATUS = 255
/** How long a shim may take to go after Shutdown, and a killed process to be seen gone. */
const SHIM_EXIT_MS = 2000
const KILLED_EXIT_MS = 10_000

/** After the container was deleted: ends the shim and removes the bundle. */
export async function finishTask(task: Task, { log, host }: EndOptions): Promise<void> {
  const { shim, shimWitness } = task
  task.shim = undefined
  if (shim !== undefined) {
    try {
      await shim.shutdown(task.id)
    } catch (error) {
      // Many shims are gone before they have answered; one that is not is seen below.
      log.debug(
        { container: task.id, reason: reasonOf(error) },
        'shutdown of the shim was not answered',
      )
    }
    await shim[Symbol.asyncDispose]()
    if (shimWitness !== undefined) await withinMs(shimWitness.ended, SHIM_EXIT_MS)
  }
  release(task)
  host.unmountRootfs(task.bundle.rootfsPath)
  await task.bundle.remove()
}

/** A create that failed on the way: nothing of it may stay. */
export async function discardTask(task: Task, options: EndOptions): Promise<void> {
  const { shim } = task
  task.shim = undefined
  await deleteLeftovers(task, options)
  if (shim !== undefined) {
    await shim.shutdown(task.id).catch((error: unknown) => {
      options.log.debug(
        { container: task.id, reason: reasonOf(error) },
        'shutdown of the shim was not answered',
      )
    })
    await shim[Symbol.asyncDispose]()
  }
  release(task)
  options.host.unmountRootfs(task.bundle.rootfsPath)
  await task.bundle.remove()
}

/**
 * The shim is gone and cannot be asked. Ends what is left of the container, and publishes how its processes
 * ended: by the shim's exit record or by what the kernel told us, never by a guess. The task stays, stopped,
 * until a client deletes it.
 */
export async function buryShim(task: Task, options: EndOptions): Promise<void> {
  const deleted = await deleteLeftovers(task, options)
  for (const exec of task.execs.values()) {
    await settle(task, exec, undefined, options)
  }
  await settle(task, task.init, recordedExit(task, deleted), options)
  release(task)
  options.host.unmountRootfs(task.bundle.rootfsPath)
  const { init } = task
  await writeTaskRecord(task.bundle, {
    initPid: init.pid,
    initStartTicks: undefined,
    io: init.io,
    exit: init.exit,
  })
}

async function settle(
  task: Task,
  process: ProcessState,
  recorded: ExitStatus | undefined,
  { log, events }: EndOptions,
): Promise<void> {
  const exit = process.exit ?? recorded ?? (await witnessedExit(task.witnesses.get(process.execId)))
  if (!exit.isKnown) {
    const { namespace, id } = task
    const facts = { namespace, container: id, process: process.execId, pid: process.pid }
    log.warn(facts, 'nobody saw how a process ended: its status is given as 255')
  }
  process.exited(exit)
  publishExit(events, task, process, exit)
}

/** Our own shim answers `delete` from its exit record; others make a status up. */
function recordedExit(task: Task, deleted: DeleteResponse | undefined): ExitStatus | undefined {
  if (deleted === undefined || basename(task.shimPath) !== BERTH_SHIM) return undefined
  const { exitStatus, exitedAt } = deleted
  if (exitStatus === UNKNOWN_EXIT_STATUS || exitedAt === undefined) return undefined
  return { exitStatus, exitedAt, isKnown: true }
}

async function witnessedExit(witness: Witness | undefined): Promise<ExitStatus> {
  const seen =
    witness === undefined
      ? undefined
      : (witness.exit ?? (await withinMs(witness.ended, KILLED_EXIT_MS)))
  const exitedAt = timestampToProto(nowNs())
  return seen ?? { exitStatus: UNKNOWN_EXIT_STATUS, exitedAt, isKnown: false }
}

async function deleteLeftovers(
  task: Task,
  { log, shim }: EndOptions,
): Promise<DeleteResponse | undefined> {
  try {
    return await deleteWithShim(task.shimPath, task.bundle, shim)
  } catch (error) {
    log.warn({ container: task.id, reason: reasonOf(error) }, 'the shim program could not clean up')
    return undefined
  }
}

function release(task: Task): void {
  for (const witness of task.witnesses.values()) witness.release()
  task.witnesses.clear()
  task.shimWitness?.release()
  task.log?.close()
}

async function withinMs<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined)
    }, timeoutMs)
  })
  try {
    return await Promise.race([promise, timeUp])
  } finally {
    clearTimeout(timer)
  }
}
