/** What a bundle from before a restart turns into. @see containerd-behaviour.md §i (Recovery) */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ProcessDetails } from '../../proto/generated/containerd/types/runc/options/oci.ts'
import { Status } from '../../proto/generated/containerd/types/task/task.ts'
import type { StateResponse } from '../../proto/generated/containerd/runtime/task/v2/shim.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Bundle } from './bundle.ts'
import type { Log, ShimHost } from './ports.ts'
import { ProcessState } from './process-state.ts'
import { processStartTicks } from './process-witness.ts'
import { ShimConnection } from './shim-connection.ts'
import { readTaskRecord, type TaskRecord } from './task-record.ts'
import { NO_IO, newTask, processOf, type Task } from './task-table.ts'
import { reasonOf } from './reason.ts'

/** What the shim manager does with what is found. */
export interface RecoveryActions {
  readonly log: Log
  readonly host: ShimHost
  readonly add: (task: Task) => void
  readonly connect: (task: Task, connection: ShimConnection) => Promise<void>
  readonly watch: (task: Task, execId: string, pid: number) => void
  readonly discard: (task: Task) => Promise<void>
  /** To be cleaned up when all others have been found. */
  readonly bury: (task: Task) => void
}

/** A shim that hangs is asked again this often, until it answers or is gone. */
const RETRY_MS = 1000

export async function adoptTask(bundle: Bundle, actions: RecoveryActions): Promise<void> {
  const record = await readTaskRecord(bundle)
  const task = newTask(bundle, (await bundle.readShimPath()) ?? '', record?.io ?? NO_IO)
  actions.add(task)
  if (record?.exit !== undefined) {
    // Its shim was gone before; only the client's Delete is missing.
    task.init.exited(record.exit, record.initPid)
    return
  }
  const connection = await connectShim(bundle, actions.log)
  if (connection === undefined) {
    await handleDead(task, record, actions)
    return
  }
  task.log = actions.host.openLog(bundle, actions.log)
  try {
    await actions.connect(task, connection)
    await takeState(task, await connection.state(task.id, ''), connection, actions)
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error
    switch (error.code) {
      case 'notFound':
        // The manager ended between start of the shim and Create.
        await actions.discard(task)
        return
      case 'deadlineExceeded':
        task.init.unanswered(record?.initPid ?? 0)
        void retry(task, connection, actions)
        return
      default:
        await handleDead(task, record, actions)
    }
  }
}

async function connectShim(bundle: Bundle, log: Log): Promise<ShimConnection | undefined> {
  try {
    const endpoint = await bundle.readEndpoint()
    return endpoint && (await ShimConnection.open(endpoint, bundle.namespace))
  } catch (error) {
    log.warn(
      { namespace: bundle.namespace, container: bundle.id, reason: reasonOf(error) },
      'a shim does not answer',
    )
    return undefined
  }
}

async function handleDead(
  task: Task,
  record: TaskRecord | undefined,
  actions: RecoveryActions,
): Promise<void> {
  const pid = await livingInit(task.bundle, record)
  if (record === undefined && pid === undefined) {
    await actions.discard(task)
    return
  }
  task.init.unanswered(record?.initPid ?? pid ?? 0)
  // Before the cleanup kills it: afterwards nobody could tell how it ended.
  if (pid !== undefined) actions.watch(task, '', pid)
  actions.bury(task)
}

/** The init of a bundle whose shim is dead, if it still runs and is certainly that process. */
async function livingInit(
  bundle: Bundle,
  record: TaskRecord | undefined,
): Promise<number | undefined> {
  if (record !== undefined) {
    const { initPid, initStartTicks } = record
    const isSame = initStartTicks !== undefined && processStartTicks(initPid) === initStartTicks
    return isSame ? initPid : undefined
  }
  // A manager that ended before it wrote its record: containerd's shim keeps the pid too.
  const text = await readFile(join(bundle.path, 'init.pid'), 'utf8').catch(() => '')
  return /^[0-9]+$/.test(text) ? Number(text) : undefined
}

async function retry(
  task: Task,
  connection: ShimConnection,
  actions: RecoveryActions,
): Promise<void> {
  while (task.shim === connection) {
    try {
      await takeState(task, await connection.state(task.id, ''), connection, actions)
      return
    } catch (error) {
      actions.log.debug(
        { container: task.id, reason: reasonOf(error) },
        'the shim still does not answer',
      )
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref())
    }
  }
}

async function takeState(
  task: Task,
  state: StateResponse,
  connection: ShimConnection,
  actions: RecoveryActions,
): Promise<void> {
  applyState(task.init, state)
  // Whether its event went out nobody knows any more; the shim's outbox does, and repeats it if not.
  if (task.init.exit !== undefined) task.publishedExits.add('')
  else actions.watch(task, '', state.pid)
  for (const execId of await execIds(task.id, connection)) {
    const exec = await connection.state(task.id, execId)
    const { stdin, stdout, stderr, terminal } = exec
    task.execs.set(execId, new ProcessState(execId, { stdin, stdout, stderr, terminal }))
    const process = processOf(task, execId)
    if (process !== undefined) applyState(process, exec)
    if (process?.exit === undefined) actions.watch(task, execId, exec.pid)
  }
}

function applyState(process: ProcessState, state: StateResponse): void {
  const { pid, exitStatus } = state
  switch (state.status) {
    case Status.CREATED:
      process.created(pid)
      return
    case Status.RUNNING:
      process.started(pid)
      return
    case Status.PAUSED:
    case Status.PAUSING:
      process.started(pid)
      process.paused()
      return
    case Status.STOPPED: {
      const exitedAt = state.exitedAt ?? { seconds: 0n, nanos: 0 }
      process.exited({ exitStatus, exitedAt, isKnown: true }, pid)
      return
    }
    default:
      process.unanswered(pid)
  }
}

/** Shims name the execs among a container's processes. */
async function execIds(id: string, connection: ShimConnection): Promise<readonly string[]> {
  const { processes } = await connection.pids(id).catch(() => ({ processes: [] }))
  return processes.flatMap(({ info }) => {
    if (info?.typeUrl.endsWith('containerd.runc.v1.ProcessDetails') !== true) return []
    return [ProcessDetails.decode(info.value).execId]
  })
}
