/** The container part of the journey: snapshot, container, task, and back. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ContainersDefinition } from '../../proto/generated/containerd/services/containers/v1/containers.ts'
import { SnapshotsDefinition } from '../../proto/generated/containerd/services/snapshots/v1/snapshots.ts'
import { TasksDefinition } from '../../proto/generated/containerd/services/tasks/v1/tasks.ts'
import type { Mount } from '../../proto/generated/containerd/types/mount.ts'
import type { Client } from './client.ts'
import { SNAPSHOTTER } from './image.ts'
import type { Stages } from './stages.ts'

export interface Outcome {
  readonly exitCode: number
  /** What the program wrote, both streams. */
  readonly output: string
  /** On the host. */
  readonly pid: number
}

export interface ContainerRequest {
  readonly id: string
  readonly reference: string
  /** Topmost committed snapshot of the image. */
  readonly chainId: string
  readonly spec: object
  readonly runtime: string
  /** For the FIFOs. */
  readonly dir: string
}

/** For a program whose journey was interrupted. */
const SIGKILL = 9

/** A program that talks to nobody may take as long as it likes. */
const FOREVER_MS = 24 * 60 * 60 * 1000

/** Runs a container from its snapshot to its exit and removes every trace of it, stage by stage. */
export async function runContainer(
  client: Client,
  stages: Stages,
  request: ContainerRequest,
  interrupted: AbortSignal,
): Promise<Outcome> {
  const { id, chainId } = request
  const { prepare, remove } = SnapshotsDefinition.methods
  const snapshot = { snapshotter: SNAPSHOTTER, key: id }
  const { mounts } = await stages.time('snapshot: prepare a writable layer', () =>
    client.unary(SnapshotsDefinition, prepare, { ...snapshot, parent: chainId }),
  )
  try {
    await stages.time('container: create', () => createContainer(client, request))
    try {
      return await runTask(client, stages, request, mounts, interrupted)
    } finally {
      await stages.time('container: delete', () =>
        client.unary(ContainersDefinition, ContainersDefinition.methods.delete, { id }),
      )
    }
  } finally {
    await stages.time('snapshot: remove', () => client.unary(SnapshotsDefinition, remove, snapshot))
  }
}

async function createContainer(client: Client, request: ContainerRequest): Promise<void> {
  const { id, reference, spec, runtime } = request
  await client.unary(ContainersDefinition, ContainersDefinition.methods.create, {
    container: {
      id,
      image: reference,
      labels: {},
      runtime: { name: runtime, options: undefined },
      spec: {
        typeUrl: 'types.containerd.io/opencontainers/runtime-spec/1/Spec',
        value: Buffer.from(JSON.stringify(spec)),
      },
      snapshotter: SNAPSHOTTER,
      snapshotKey: id,
      createdAt: undefined,
      updatedAt: undefined,
      extensions: {},
      sandbox: '',
    },
  })
}

async function runTask(
  client: Client,
  stages: Stages,
  { id, dir }: ContainerRequest,
  rootfs: Mount[],
  interrupted: AbortSignal,
): Promise<Outcome> {
  const { methods } = TasksDefinition
  const containerId = id
  await using stdout = new FifoReader(join(dir, 'stdout'))
  await using stderr = new FifoReader(join(dir, 'stderr'))
  const { pid } = await stages.time('task: create (shim, namespaces, rootfs)', () =>
    client.unary(TasksDefinition, methods.create, {
      containerId,
      rootfs,
      stdout: stdout.path,
      stderr: stderr.path,
    }),
  )
  const kill = (): void => {
    client
      .unary(TasksDefinition, methods.kill, { containerId, signal: SIGKILL, all: true })
      .catch(() => undefined) // it may have ended by itself
  }
  interrupted.addEventListener('abort', kill)
  try {
    const exited = client.unary(TasksDefinition, methods.wait, { containerId }, FOREVER_MS)
    exited.catch(() => undefined) // awaited below, unless the start fails first
    await stages.time('task: start', () =>
      client.unary(TasksDefinition, methods.start, { containerId }),
    )
    const { exitStatus } = await stages.time('task: run to the exit', () => exited)
    const output = `${await stdout.text()}${await stderr.text()}`
    return { exitCode: exitStatus, output, pid }
  } catch (error) {
    kill()
    throw error
  } finally {
    interrupted.removeEventListener('abort', kill)
    await stages.time('task: delete', () =>
      client.unary(TasksDefinition, methods.delete, { containerId }),
    )
  }
}

/** Collects what comes out of a FIFO until its last writer is gone. */
class FifoReader implements AsyncDisposable {
  readonly path: string
  readonly #chunks: Buffer[] = []
  readonly #reader
  readonly #ended: Promise<unknown>

  constructor(path: string) {
    this.path = path
    execFileSync('mkfifo', ['-m', '600', path])
    // `cat` waits in open(2) for the writer, where a JavaScript engine would block a thread.
    this.#reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#reader.stdout.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    this.#ended = once(this.#reader, 'close')
  }

  async text(): Promise<string> {
    await this.#ended
    return Buffer.concat(this.#chunks).toString()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#reader.exitCode === null) this.#reader.kill('SIGKILL')
    await this.#ended
  }
}
