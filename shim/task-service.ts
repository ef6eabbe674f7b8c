/** The task service, one implementation for both of its versions: they differ in the package name only. */
import { pid as shimPid } from 'node:process'
import { PlatformError } from '../proto/errors/platform-error.ts'
import type { Any } from '../proto/generated/google/protobuf/any.ts'
import type { Empty } from '../proto/generated/google/protobuf/empty.ts'
import {
  TaskDefinition,
  type CheckpointTaskRequest,
  type CloseIORequest,
  type ConnectRequest,
  type ConnectResponse,
  type CreateTaskRequest,
  type CreateTaskResponse,
  type DeleteRequest,
  type DeleteResponse,
  type ExecProcessRequest,
  type KillRequest,
  type PauseRequest,
  type PidsRequest,
  type PidsResponse,
  type ResizePtyRequest,
  type ResumeRequest,
  type ShutdownRequest,
  type StartRequest,
  type StartResponse,
  type StateRequest,
  type StateResponse,
  type StatsRequest,
  type StatsResponse,
  type UpdateTaskRequest,
  type WaitRequest,
  type WaitResponse,
} from '../proto/generated/containerd/runtime/task/v2/shim.ts'
import { ProcessDetails } from '../proto/generated/containerd/types/runc/options/oci.ts'
import type { Handlers } from '../proto/ttrpc/definition.ts'
import { readContainerConfig } from './container-config.ts'
import type { ContainerTable } from './container-table.ts'
import { Container } from './container.ts'
import type { ExitRecord } from './exit-record.ts'
import type { Log } from './log.ts'
import { pidOf, statusToProto } from './process-state.ts'
import type { RuntimeDriver } from './runtime-driver.ts'
import {
  forgetRuntimeOptions,
  parseRuntimeOptions,
  saveRuntimeOptions,
  type RuntimeOptions,
} from './runtime-options.ts'
import type { EventSink } from './task-events.ts'
import type { TaskProcess } from './task-process.ts'
import { timestampOf } from './timestamp.ts'

/** `containerd.task.v2.Task` and `containerd.task.v3.Task`, sharing their messages. */
export const TASK_DEFINITIONS = [
  TaskDefinition,
  { ...TaskDefinition, fullName: 'containerd.task.v3.Task' },
] as const

export interface TaskServiceOptions {
  readonly containers: ContainerTable
  readonly events: EventSink
  readonly log: Log
  readonly openDriver: (bundle: string, options: RuntimeOptions) => Promise<RuntimeDriver>
  /** Called when the daemon wants the shim gone and no container is left. */
  readonly onShutdown: () => void
}

const EMPTY: Empty = {}

export class TaskService implements Handlers<typeof TaskDefinition> {
  readonly #options: TaskServiceOptions
  /** By container id. */
  readonly #drivers = new Map<string, RuntimeDriver>()

  constructor(options: TaskServiceOptions) {
    this.#options = options
  }

  /** A process as it is now. Never waits for the runtime. */
  state = async ({ id, execId }: StateRequest): Promise<StateResponse> => {
    const container = this.#containers.get(id)
    const process = container.process(execId)
    const exit = exitOf(process)
    return Promise.resolve({
      id: execId === '' ? id : execId,
      bundle: container.bundle,
      pid: pidOf(process.state),
      status: statusToProto(process.state),
      ...process.request,
      exitStatus: exit?.exitStatus ?? 0,
      exitedAt: exit === undefined ? undefined : timestampOf(exit.exitedAtNs),
      execId,
    })
  }

  create = async (request: CreateTaskRequest): Promise<CreateTaskResponse> => {
    const { id, bundle, checkpoint } = request
    if (checkpoint !== '') {
      const found = `checkpoint ${checkpoint}`
      throw new PlatformError('unimplemented', { action: 'restore container', subject: id, found })
    }
    const container = await this.#containers.add(id, async () => {
      const options = parseRuntimeOptions(request.options)
      const config = readContainerConfig(bundle)
      const driver = await this.#options.openDriver(bundle, options)
      // Before anything is made, so that `delete` finds how to take it away.
      saveRuntimeOptions(bundle, options)
      const created = await Container.create(
        {
          id,
          bundle,
          rootfs: request.rootfs,
          request: streamsOf(request),
          owner: { uid: options.ioUid, gid: options.ioGid },
          config,
        },
        { driver, events: this.#options.events, log: this.#options.log },
      )
      this.#drivers.set(id, driver)
      return created
    })
    return { pid: pidOf(container.init.state) }
  }

  start = async ({ id, execId }: StartRequest): Promise<StartResponse> => {
    return { pid: await this.#containers.get(id).start(execId) }
  }

  delete = async ({ id, execId }: DeleteRequest): Promise<DeleteResponse> => {
    const container = this.#containers.get(id)
    if (execId !== '') {
      const process = await container.deleteExec(execId)
      return exitToProto(exitOf(process), pidOf(process.state))
    }
    const exit = await container.delete()
    forgetRuntimeOptions(container.bundle)
    this.#containers.remove(id)
    this.#drivers.delete(id)
    return exitToProto(exit, exit.pid)
  }

  pids = async ({ id }: PidsRequest): Promise<PidsResponse> => {
    const container = this.#containers.get(id)
    const execIds = new Map<number, string>()
    for (const [execId, { state }] of container.execs) {
      if (state.status === 'running') execIds.set(state.pid, execId)
    }
    const pids = await this.#driver(id).pids(id)
    return {
      processes: pids.map((pid) => ({ pid, info: processDetails(execIds.get(pid)) })),
    }
  }

  pause = async ({ id }: PauseRequest): Promise<Empty> => {
    await this.#containers.get(id).pause()
    return EMPTY
  }

  resume = async ({ id }: ResumeRequest): Promise<Empty> => {
    await this.#containers.get(id).resume()
    return EMPTY
  }

  checkpoint = async ({ id }: CheckpointTaskRequest): Promise<Empty> => {
    const hint = 'stop the container and commit its file system instead'
    const facts = {
      action: 'checkpoint container',
      subject: id,
      found: 'a shim without criu',
      hint,
    }
    return Promise.reject(new PlatformError('unimplemented', facts))
  }

  kill = async ({ id, execId, signal, all }: KillRequest): Promise<Empty> => {
    await this.#containers.get(id).kill(execId, signal, all)
    return EMPTY
  }

  exec = async (request: ExecProcessRequest): Promise<Empty> => {
    const container = this.#containers.get(request.id)
    if (request.execId === '') {
      throw new PlatformError('invalidArgument', {
        action: 'add process to container',
        subject: request.id,
        found: 'no exec id',
      })
    }
    const spec = JSON.stringify({ ...parseProcess(request), terminal: request.terminal })
    container.addExec(request.execId, streamsOf(request), spec)
    return Promise.resolve(EMPTY)
  }

  resizePty = async ({ id, execId, width, height }: ResizePtyRequest): Promise<Empty> => {
    this.#containers.get(id).process(execId).resize({ columns: width, rows: height })
    return Promise.resolve(EMPTY)
  }

  closeIO = async ({ id, execId, stdin }: CloseIORequest): Promise<Empty> => {
    const process = this.#containers.get(id).process(execId)
    if (stdin) process.closeInput()
    return Promise.resolve(EMPTY)
  }

  update = async ({ id, resources }: UpdateTaskRequest): Promise<Empty> => {
    this.#containers.get(id)
    await this.#driver(id).update(id, jsonOf(resources, 'update container', id))
    return EMPTY
  }

  wait = async ({ id, execId }: WaitRequest): Promise<WaitResponse> => {
    const exit = await this.#containers.get(id).process(execId).stopped
    return { exitStatus: exit.exitStatus, exitedAt: timestampOf(exit.exitedAtNs) }
  }

  stats = async ({ id }: StatsRequest): Promise<StatsResponse> => {
    const { init } = this.#containers.get(id)
    if (init.isStopped) {
      const found = 'a stopped container'
      throw new PlatformError('failedPrecondition', { action: 'measure', subject: id, found })
    }
    const { readTaskMetrics } = await import('./metrics/task-metrics.ts')
    return { stats: await readTaskMetrics(pidOf(init.state)) }
  }

  /** Also for an unknown id: the daemon asks whether the shim is there. */
  connect = async ({ id }: ConnectRequest): Promise<ConnectResponse> => {
    const container = this.#containers.find(id)
    const taskPid = container === undefined ? 0 : pidOf(container.init.state)
    return Promise.resolve({ shimPid, taskPid, version: '' })
  }

  /** Does nothing while a container is left. */
  shutdown = async (_request: ShutdownRequest): Promise<Empty> => {
    if (this.#containers.isEmpty) this.#options.onShutdown()
    return Promise.resolve(EMPTY)
  }

  get #containers(): ContainerTable {
    return this.#options.containers
  }

  #driver(id: string): RuntimeDriver {
    const driver = this.#drivers.get(id)
    if (driver !== undefined) return driver
    throw new PlatformError('notFound', { action: 'find container', subject: id })
  }
}

function streamsOf({ terminal, stdin, stdout, stderr }: CreateTaskRequest | ExecProcessRequest): {
  terminal: boolean
  stdin: string
  stdout: string
  stderr: string
} {
  return { terminal, stdin, stdout, stderr }
}

function exitOf({ state }: TaskProcess): ExitRecord | undefined {
  return state.status === 'stopped' ? state.exit : undefined
}

/** A process that never ran has no status and no time. */
function exitToProto(exit: ExitRecord | undefined, pid: number): DeleteResponse {
  if (exit === undefined) return { pid, exitStatus: 0, exitedAt: undefined }
  return { pid, exitStatus: exit.exitStatus, exitedAt: timestampOf(exit.exitedAtNs) }
}

function processDetails(execId: string | undefined): Any | undefined {
  if (execId === undefined) return undefined
  const value = Buffer.from(ProcessDetails.encode({ execId }).finish())
  return { typeUrl: 'containerd.runc.v1.ProcessDetails', value }
}

function parseProcess({ spec, execId }: ExecProcessRequest): object {
  const text = jsonOf(spec, 'add process', execId)
  let process: unknown
  try {
    process = JSON.parse(text)
  } catch (cause) {
    const facts = { action: 'add process', subject: execId, found: 'no JSON', wanted: 'JSON' }
    throw new PlatformError('invalidArgument', facts, { cause })
  }
  if (typeof process === 'object' && process !== null) return process
  const facts = {
    action: 'add process',
    subject: execId,
    found: typeof process,
    wanted: 'a JSON object',
  }
  throw new PlatformError('invalidArgument', facts)
}

/** Specifications travel as JSON inside an Any. */
function jsonOf(any: Any | undefined, action: string, subject: string): string {
  if (any !== undefined) return any.value.toString('utf8')
  throw new PlatformError('invalidArgument', { action, subject, found: 'no specification' })
}
