import { randomBytes } from 'node:crypto'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import { startAttached } from '../attach.ts'
import { mergeEnv } from '../oci-spec.ts'
import { ProcessIo } from '../process-io.ts'
import { SnapshotFiles } from '../snapshot-files.ts'
import { resolveUser } from '../users.ts'
import { PROCESS_TYPE_URL, type CommandContext } from './context.ts'

export interface ExecOptions {
  readonly terminal: boolean
  readonly interactive: boolean
  readonly env: readonly string[]
  readonly cwd: string | undefined
  readonly user: string | undefined
}

/** Runs one more program in a running container. @returns its exit code */
export async function exec(
  { clients }: CommandContext,
  containerId: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<number> {
  const { container } = await clients.containers.get({ id: containerId })
  const { terminal } = options
  const own = readProcess(container?.spec?.value, containerId)
  const user =
    options.user === undefined || container === undefined
      ? {}
      : { user: await lookUpUser(clients, container, options.user) }
  const spec = {
    ...own,
    args: command,
    terminal,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...user,
    env: mergeEnv(textList(own['env']), terminal ? ['TERM=xterm'] : [], options.env),
  }
  const execId = `exec-${randomBytes(6).toString('hex')}`
  await using io = await ProcessIo.open({ stdin: options.interactive || terminal, terminal })
  await clients.tasks.exec({
    containerId,
    execId,
    ...io.paths,
    spec: { typeUrl: PROCESS_TYPE_URL, value: Buffer.from(JSON.stringify(spec)) },
  })
  try {
    const { exitStatus } = await startAttached(clients, { containerId, execId }, io)
    return exitStatus
  } finally {
    await clients.tasks.deleteProcess({ containerId, execId })
  }
}

async function lookUpUser(
  { snapshots }: CommandContext['clients'],
  { snapshotter, snapshotKey: key }: { readonly snapshotter: string; readonly snapshotKey: string },
  text: string,
): Promise<object> {
  const { mounts } = await snapshots.mounts({ snapshotter, key })
  using files = SnapshotFiles.open(mounts)
  return resolveUser(text, {
    passwd: files.readText('etc/passwd') ?? '',
    group: files.readText('etc/group') ?? '',
  })
}

/** The process of the container's own configuration: the exec starts out the same. */
function readProcess(
  spec: Uint8Array | undefined,
  containerId: string,
): Readonly<Record<string, unknown>> {
  const parsed: unknown = spec === undefined ? undefined : JSON.parse(Buffer.from(spec).toString())
  if (typeof parsed === 'object' && parsed !== null && 'process' in parsed) {
    const { process } = parsed
    if (typeof process === 'object' && process !== null) return { ...process }
  }
  throw new PlatformError('failedPrecondition', {
    action: 'run a program in',
    subject: containerId,
    found: 'no process in the configuration of the container',
  })
}

function textList(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
