/** Typed calls to one shim's task service, each with a deadline (DESIGN 13). */
import {
  TaskDefinition,
  type CheckpointTaskRequest,
  type CreateTaskRequest,
  type ConnectResponse,
  type DeleteResponse,
  type ExecProcessRequest,
  type PidsResponse,
  type StateResponse,
  type StatsResponse,
  type UpdateTaskRequest,
  type WaitResponse,
} from '../../proto/generated/containerd/runtime/task/v2/shim.ts'
import { TaskDefinition as TaskV3Definition } from '../../proto/generated/containerd/runtime/task/v3/shim.ts'
import type { PlatformError } from '../../proto/errors/platform-error.ts'
import type { MethodKey, RequestOf, ResponseOf } from '../../proto/ttrpc/definition.ts'
import { TtrpcClient } from '../../proto/ttrpc/client.ts'
import type { ShimEndpoint } from './bootstrap.ts'

type Method = MethodKey<typeof TaskDefinition>

/** How long a shim may take, by call. `wait` is the only one that has no end of its own. */
const TIMEOUT_MS = {
  // These run hooks and wait for the container's program to be set up.
  create: 120_000,
  start: 60_000,
  delete: 60_000,
  exec: 30_000,
  checkpoint: 600_000,
  kill: 10_000,
  pause: 10_000,
  resume: 10_000,
  update: 10_000,
  resizePty: 5_000,
  closeIO: 5_000,
  pids: 5_000,
  connect: 5_000,
  shutdown: 3_000,
  // Answered for lists of many containers, so one that hangs must not hold up the others.
  state: 2_000,
  stats: 2_000,
  wait: undefined,
} as const satisfies Record<Method, number | undefined>

export class ShimConnection {
  /** Resolves when the connection has ended, on either side. */
  readonly closed: Promise<void>
  readonly #client: TtrpcClient
  readonly #metadata: ReadonlyMap<string, string>
  readonly #isVersion3: boolean

  private constructor(client: TtrpcClient, namespace: string, isVersion3: boolean) {
    this.#client = client
    this.closed = new Promise((resolve) => {
      client.onClose(() => {
        resolve()
      })
    })
    this.#metadata = new Map([['containerd-namespace-ttrpc', namespace]])
    this.#isVersion3 = isVersion3
  }

  /** @throws unavailable, notFound, deadlineExceeded */
  static async open(endpoint: ShimEndpoint, namespace: string): Promise<ShimConnection> {
    const client = await TtrpcClient.connect(endpoint.socketPath)
    return new ShimConnection(client, namespace, endpoint.version === 3)
  }

  /** Calls back once, when the shim is gone or the connection was closed on this side. */
  onClose(listener: (reason: PlatformError) => void): void {
    this.#client.onClose(listener)
  }

  get isClosed(): boolean {
    return this.#client.isClosed
  }

  create(request: CreateTaskRequest): Promise<{ pid: number }> {
    return this.#call('create', request)
  }

  async start(id: string, execId: string): Promise<{ pid: number }> {
    return this.#call('start', { id, execId })
  }

  delete(id: string, execId: string): Promise<DeleteResponse> {
    return this.#call('delete', { id, execId })
  }

  state(id: string, execId: string, timeoutMs?: number): Promise<StateResponse> {
    return this.#call('state', { id, execId }, timeoutMs === undefined ? {} : { timeoutMs })
  }

  /** Waits as long as it takes for the process to exit. */
  wait(id: string, execId: string): Promise<WaitResponse> {
    return this.#call('wait', { id, execId })
  }

  connect(id: string): Promise<ConnectResponse> {
    return this.#call('connect', { id })
  }

  pids(id: string): Promise<PidsResponse> {
    return this.#call('pids', { id })
  }

  stats(id: string): Promise<StatsResponse> {
    return this.#call('stats', { id })
  }

  async kill(id: string, execId: string, signal: number, all: boolean): Promise<void> {
    await this.#call('kill', { id, execId, signal, all })
  }

  async exec(request: ExecProcessRequest): Promise<void> {
    await this.#call('exec', request)
  }

  async resizePty(id: string, execId: string, width: number, height: number): Promise<void> {
    await this.#call('resizePty', { id, execId, width, height })
  }

  async closeIo(id: string, execId: string, stdin: boolean): Promise<void> {
    await this.#call('closeIO', { id, execId, stdin })
  }

  async pause(id: string): Promise<void> {
    await this.#call('pause', { id })
  }

  async resume(id: string): Promise<void> {
    await this.#call('resume', { id })
  }

  async update(request: UpdateTaskRequest): Promise<void> {
    await this.#call('update', request)
  }

  async checkpoint(request: CheckpointTaskRequest): Promise<void> {
    await this.#call('checkpoint', request)
  }

  async shutdown(id: string): Promise<void> {
    await this.#call('shutdown', { id, now: false })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]()
  }

  #call<K extends Method>(
    method: K,
    request: RequestOf<typeof TaskDefinition, K>,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<ResponseOf<typeof TaskDefinition, K>> {
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS[method]
    const limits = timeoutMs === undefined ? {} : { timeoutMs }
    // The two versions differ in nothing but the service's name.
    const definition = (
      this.#isVersion3 ? TaskV3Definition : TaskDefinition
    ) as typeof TaskDefinition
    return this.#client.call(definition, method, request, { metadata: this.#metadata, ...limits })
  }
}
