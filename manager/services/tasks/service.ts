import { CheckpointOptions } from '../../../proto/generated/containerd/types/runc/options/oci.ts'
import type { Metric } from '../../../proto/generated/containerd/types/metrics.ts'
import type {
  CheckpointTaskRequest,
  CheckpointTaskResponse,
  CloseIORequest,
  CreateTaskRequest,
  CreateTaskResponse,
  DeleteProcessRequest,
  DeleteResponse,
  DeleteTaskRequest,
  ExecProcessRequest,
  GetRequest,
  GetResponse,
  KillRequest,
  ListPidsRequest,
  ListPidsResponse,
  ListTasksRequest,
  ListTasksResponse,
  MetricsRequest,
  MetricsResponse,
  PauseTaskRequest,
  ResizePtyRequest,
  ResumeTaskRequest,
  StartRequest,
  StartResponse,
  TasksDefinition,
  UpdateTaskRequest,
  WaitRequest,
  WaitResponse,
} from '../../../proto/generated/containerd/services/tasks/v1/tasks.ts'
import type { Empty } from '../../../proto/generated/google/protobuf/empty.ts'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import { presentString } from '../../filters/adaptor.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import { parseIdentifier } from '../../grpc/identifier.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import { nowNs, timestampToProto } from '../../metadata/timestamp.ts'
import type { Log } from '../../shims/ports.ts'
import type { ShimManager } from '../../shims/shim-manager.ts'
import type { Task } from '../../shims/task-table.ts'
import { processToProto } from './convert.ts'
import { reasonOf } from '../../shims/reason.ts'

/** @see containerd-behaviour.md §b (Tasks rows), §g */
export class TasksService implements ServiceHandlers<typeof TasksDefinition> {
  readonly #shims: ShimManager
  readonly #log: Log

  constructor(shims: ShimManager, log: Log) {
    this.#shims = shims
    this.#log = log
  }

  async create(request: CreateTaskRequest, context: CallContext): Promise<CreateTaskResponse> {
    const { containerId, rootfs, stdin, stdout, stderr, terminal, options } = request
    if (request.checkpoint !== undefined) {
      throw new PlatformError('unimplemented', {
        action: 'create task',
        subject: containerId,
        found: 'a checkpoint to restore',
      })
    }
    if (request.taskApiAddress !== '') {
      throw new PlatformError('unimplemented', {
        action: 'create task',
        subject: containerId,
        found: 'the address of a sandbox to join',
      })
    }
    const pid = await this.#shims.create(context.namespace, containerId, {
      rootfs,
      io: { stdin, stdout, stderr, terminal },
      runtimeOptions: options,
      runtimePath: request.runtimePath,
    })
    return { containerId, pid }
  }

  async start({ containerId, execId }: StartRequest, context: CallContext): Promise<StartResponse> {
    return { pid: await this.#shims.start(context.namespace, containerId, execId) }
  }

  async delete({ containerId }: DeleteTaskRequest, context: CallContext): Promise<DeleteResponse> {
    const deleted = await this.#shims.delete(context.namespace, containerId)
    return { id: containerId, ...deleted }
  }

  async deleteProcess(
    { containerId, execId }: DeleteProcessRequest,
    context: CallContext,
  ): Promise<DeleteResponse> {
    const deleted = await this.#shims.deleteExec(context.namespace, containerId, execId)
    return { id: execId, ...deleted }
  }

  async get({ containerId, execId }: GetRequest, context: CallContext): Promise<GetResponse> {
    const process = this.#shims.tasks.getProcess(context.namespace, containerId, execId)
    return { process: processToProto(containerId, process) }
  }

  /** The request's filter is ignored, as containerd ignores it. */
  async list(_request: ListTasksRequest, context: CallContext): Promise<ListTasksResponse> {
    const tasks = this.#shims.tasks.list(context.namespace)
    return { tasks: tasks.map(({ id, init }) => processToProto(id, init)) }
  }

  async kill(request: KillRequest, context: CallContext): Promise<Empty> {
    const { containerId, execId, signal, all } = request
    await this.#shims.kill(context.namespace, containerId, execId, signal, all)
    return {}
  }

  async exec(request: ExecProcessRequest, context: CallContext): Promise<Empty> {
    const { containerId, stdin, stdout, stderr, terminal, spec } = request
    const execId = parseIdentifier(request.execId, 'exec id')
    const io = { stdin, stdout, stderr, terminal }
    await this.#shims.exec(context.namespace, containerId, execId, io, spec)
    return {}
  }

  async resizePty(request: ResizePtyRequest, context: CallContext): Promise<Empty> {
    const { containerId, execId, width, height } = request
    const shim = this.#shims.liveShim(context.namespace, containerId)
    await shim.resizePty(containerId, execId, width, height)
    return {}
  }

  async closeIO(request: CloseIORequest, context: CallContext): Promise<Empty> {
    const { containerId, execId, stdin } = request
    await this.#shims.liveShim(context.namespace, containerId).closeIo(containerId, execId, stdin)
    return {}
  }

  async pause({ containerId }: PauseTaskRequest, context: CallContext): Promise<Empty> {
    await this.#shims.pause(context.namespace, containerId)
    return {}
  }

  async resume({ containerId }: ResumeTaskRequest, context: CallContext): Promise<Empty> {
    await this.#shims.resume(context.namespace, containerId)
    return {}
  }

  async listPids(
    { containerId }: ListPidsRequest,
    context: CallContext,
  ): Promise<ListPidsResponse> {
    return this.#shims.liveShim(context.namespace, containerId).pids(containerId)
  }

  /** Only into a directory the client names: images of the process are not put into the content store yet. */
  async checkpoint(
    { containerId, options }: CheckpointTaskRequest,
    context: CallContext,
  ): Promise<CheckpointTaskResponse> {
    const shim = this.#shims.liveShim(context.namespace, containerId)
    const isOptions = options?.typeUrl.endsWith('containerd.runc.v1.CheckpointOptions') === true
    const path = isOptions ? CheckpointOptions.decode(options.value).imagePath : ''
    if (path === '') {
      throw new PlatformError('unimplemented', {
        action: 'checkpoint task',
        subject: containerId,
        found: 'no image path in the options',
        wanted: 'a directory to checkpoint into',
      })
    }
    await shim.checkpoint({ id: containerId, path, options })
    return { descriptors: [] }
  }

  async update(request: UpdateTaskRequest, context: CallContext): Promise<Empty> {
    const { containerId: id, resources, annotations } = request
    await this.#shims.liveShim(context.namespace, id).update({ id, resources, annotations })
    return {}
  }

  /** A container that does not answer in time is left out, and holds up nobody else's numbers. */
  async metrics({ filters }: MetricsRequest, context: CallContext): Promise<MetricsResponse> {
    const { namespace } = context
    const isWanted = parseFilters(filters)
    const tasks = this.#shims.tasks.list(namespace).filter(({ id }) =>
      isWanted(([field]) => {
        switch (field) {
          case 'id':
            return presentString(id)
          case 'namespace':
            return namespace
          default:
            return undefined
        }
      }),
    )
    const metrics = await Promise.all(tasks.map((task) => this.#metric(task)))
    return { metrics: metrics.filter((metric) => metric !== undefined) }
  }

  async wait({ containerId, execId }: WaitRequest, context: CallContext): Promise<WaitResponse> {
    const { namespace, signal } = context
    const { exitStatus, exitedAt } = await this.#shims.wait(namespace, containerId, execId, signal)
    return { exitStatus, exitedAt }
  }

  async #metric({ id, shim }: Task): Promise<Metric | undefined> {
    try {
      const answer = await shim?.stats(id)
      if (answer === undefined) return undefined
      return { timestamp: timestampToProto(nowNs()), id, data: answer.stats }
    } catch (error) {
      this.#log.warn({ container: id, reason: reasonOf(error) }, 'no metrics of a container')
      return undefined
    }
  }
}
