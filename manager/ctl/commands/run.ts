import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Mount } from '../../../proto/generated/containerd/types/mount.ts'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import { startAttached } from '../attach.ts'
import type { Clients } from '../clients.ts'
import { findImage, readImage, type RunnableImage } from '../image.ts'
import { withLease } from '../lease.ts'
import { createSpec, programOf, type ContainerUser, type SpecOptions } from '../oci-spec.ts'
import { NO_IO, ProcessIo } from '../process-io.ts'
import { SnapshotFiles } from '../snapshot-files.ts'
import { unpackImage } from '../unpack.ts'
import { resolveUser } from '../users.ts'
import { DEFAULT_SNAPSHOTTER, SPEC_TYPE_URL, type CommandContext } from './context.ts'

export interface RunOptions {
  readonly rm: boolean
  readonly detach: boolean
  readonly terminal: boolean
  readonly interactive: boolean
  readonly name: string | undefined
  readonly env: readonly string[]
  readonly cwd: string | undefined
  readonly user: string | undefined
  readonly runtime: string
}

/** Makes a container of an image and runs it. @returns the exit code of its program */
export async function run(
  context: CommandContext,
  imageText: string,
  command: readonly string[],
  options: RunOptions,
): Promise<number> {
  const { clients } = context
  const id = options.name ?? randomBytes(6).toString('hex')
  checkTerminal(options)
  const image = await readImage(clients, await findImage(clients, imageText))
  await withLease(clients, (leaseId) =>
    createContainer(context, id, image, command, options, leaseId),
  )
  try {
    const code = await runTask(context, id, options)
    if (options.rm && !options.detach) await removeContainer(clients, id)
    return code
  } catch (error) {
    // It never ran, or nobody can say how it ended: with --rm the user does not want to clean up after it.
    if (options.rm) {
      await clients.tasks.kill({ containerId: id, signal: 9, all: true }).catch(ignoreMissing)
      await removeContainer(clients, id).catch(ignoreMissing)
    }
    throw error
  }
}

function checkTerminal({ terminal, detach }: RunOptions): void {
  if (!terminal || detach || process.stdin.isTTY) return
  throw new PlatformError('invalidArgument', {
    action: 'run with a terminal',
    found: 'a standard input that is no terminal',
    wanted: 'one for -t',
    hint: 'leave out -t',
  })
}

async function createContainer(
  { clients, namespace }: CommandContext,
  id: string,
  image: RunnableImage,
  command: readonly string[],
  options: RunOptions,
  leaseId: string,
): Promise<void> {
  const snapshotter = DEFAULT_SNAPSHOTTER
  const program = programOf({ image: image.config, command })
  if (program.length === 0) {
    throw new PlatformError('invalidArgument', {
      action: 'run image',
      subject: image.image.name,
      found: 'no command in it',
      wanted: 'one after the image',
    })
  }
  const parent = await unpackImage(clients, image, snapshotter, leaseId)
  const { mounts } = await clients.snapshots.prepare({ snapshotter, key: id, parent }, { leaseId })
  try {
    const spec = createSpec({
      namespace,
      id,
      image: image.config,
      user: userOf(mounts, options.user ?? image.config.user),
      command,
      env: options.env,
      workingDirectory: options.cwd,
      terminal: options.terminal,
      hasUnifiedCgroups: existsSync('/sys/fs/cgroup/cgroup.controllers'),
    } satisfies SpecOptions)
    const { stopSignal } = image.config
    await clients.containers.create(
      {
        container: {
          id,
          image: image.image.name,
          runtime: { name: options.runtime, options: undefined },
          spec: { typeUrl: SPEC_TYPE_URL, value: Buffer.from(JSON.stringify(spec)) },
          snapshotter,
          snapshotKey: id,
          labels: stopSignal === '' ? {} : { 'io.containerd.image.config.stop-signal': stopSignal },
          createdAt: undefined,
          updatedAt: undefined,
          extensions: {},
          sandbox: '',
        },
      },
      { leaseId },
    )
  } catch (error) {
    await clients.snapshots.remove({ snapshotter, key: id })
    throw error
  }
}

/** Root needs no look into the image. */
function userOf(mounts: readonly Mount[], text: string): ContainerUser {
  if (text === '') return { uid: 0, gid: 0, additionalGids: [0] }
  using files = SnapshotFiles.open(mounts)
  return resolveUser(text, {
    passwd: files.readText('etc/passwd') ?? '',
    group: files.readText('etc/group') ?? '',
  })
}

async function runTask(context: CommandContext, id: string, options: RunOptions): Promise<number> {
  const { clients, out } = context
  const { mounts: rootfs } = await clients.snapshots.mounts({
    snapshotter: DEFAULT_SNAPSHOTTER,
    key: id,
  })
  if (options.detach) {
    const io = { ...NO_IO, terminal: options.terminal }
    await clients.tasks.create({ containerId: id, rootfs, ...io })
    await clients.tasks.start({ containerId: id })
    out(`${id}\n`)
    return 0
  }
  await using io = await ProcessIo.open({
    stdin: options.interactive || options.terminal,
    terminal: options.terminal,
  })
  await clients.tasks.create({ containerId: id, rootfs, ...io.paths })
  let exitStatus: number
  try {
    ;({ exitStatus } = await startAttached(clients, { containerId: id, execId: '' }, io))
  } catch (error) {
    // Created and not started: it goes with the error.
    await clients.tasks.delete({ containerId: id }).catch(ignoreMissing)
    throw error
  }
  await clients.tasks.delete({ containerId: id })
  return exitStatus
}

/** Removes a container without a running task, its snapshot with it. */
export async function removeContainer(clients: Clients, id: string): Promise<void> {
  const { container } = await clients.containers.get({ id })
  await clients.tasks.delete({ containerId: id }).catch(ignoreMissing)
  await clients.containers.delete({ id })
  if (container === undefined || container.snapshotKey === '') return
  const { snapshotter, snapshotKey: key } = container
  await clients.snapshots.remove({ snapshotter, key }).catch(ignoreMissing)
}

export function ignoreMissing(error: unknown): void {
  if (!(error instanceof PlatformError && error.code === 'notFound')) throw error
}
