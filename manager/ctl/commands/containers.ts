import { constants as osConstants } from 'node:os'
import type { Container } from '../../../proto/generated/containerd/services/containers/v1/containers.ts'
import { Status, type Process } from '../../../proto/generated/containerd/types/task/task.ts'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import { formatAge, formatTable } from '../table.ts'
import type { CommandContext } from './context.ts'
import { ignoreMissing, removeContainer } from './run.ts'

/** @param all with the ones that do not run */
export async function listContainers(
  { clients, out }: CommandContext,
  { all }: { readonly all: boolean },
): Promise<void> {
  const [{ containers }, { tasks }] = await Promise.all([
    clients.containers.list({}),
    clients.tasks.list({}),
  ])
  const taskOf = new Map(tasks.map((task) => [task.id, task]))
  const rows = containers
    .map((container) => ({ container, task: taskOf.get(container.id) }))
    .filter(({ task }) => all || (task !== undefined && task.status !== Status.STOPPED))
    .map(({ container, task }) => [
      container.id,
      container.image,
      commandOf(container),
      describeStatus(task),
      task === undefined || task.status === Status.STOPPED ? '' : String(task.pid),
      formatAge(container.createdAt, Date.now()),
    ])
  out(formatTable([['CONTAINER', 'IMAGE', 'COMMAND', 'STATUS', 'PID', 'CREATED'], ...rows]))
}

const MAX_COMMAND_CHARS = 40

function commandOf({ spec }: Container): string {
  try {
    const parsed = JSON.parse(String(spec?.value)) as { process?: { args?: readonly string[] } }
    const text = parsed.process?.args?.join(' ') ?? ''
    return text.length > MAX_COMMAND_CHARS ? `${text.slice(0, MAX_COMMAND_CHARS - 1)}…` : text
  } catch {
    // Made by another client, in a form of its own.
    return ''
  }
}

function describeStatus(task: Process | undefined): string {
  if (task === undefined) return 'no task'
  switch (task.status) {
    case Status.CREATED:
      return 'created'
    case Status.RUNNING:
      return 'running'
    case Status.STOPPED:
      return `exited (${String(task.exitStatus)})`
    case Status.PAUSED:
      return 'paused'
    case Status.PAUSING:
      return 'pausing'
    default:
      return 'does not answer'
  }
}

export interface KillOptions {
  /** `TERM`, `SIGTERM` or `15`; the image's stop signal when it is not given. */
  readonly signal: string | undefined
  /** Every process of the container. */
  readonly all: boolean
}

export async function kill(
  { clients }: CommandContext,
  ids: readonly string[],
  { signal, all }: KillOptions,
): Promise<void> {
  for (const containerId of ids) {
    const { container } = await clients.containers.get({ id: containerId })
    const label = container?.labels['io.containerd.image.config.stop-signal']
    const number = parseSignal(signal ?? label ?? 'SIGTERM')
    await clients.tasks.kill({ containerId, signal: number, all })
  }
}

export function parseSignal(text: string): number {
  const known: Readonly<Record<string, number>> = osConstants.signals
  const name = text.toUpperCase().startsWith('SIG')
    ? text.toUpperCase()
    : `SIG${text.toUpperCase()}`
  const number = /^[0-9]+$/.test(text) ? Number(text) : known[name]
  if (number === undefined || number < 1 || number > 64) {
    throw new PlatformError('invalidArgument', {
      action: 'read signal',
      found: JSON.stringify(text),
      wanted: 'a name like TERM or a number from 1 to 64',
    })
  }
  return number
}

/** @param force also a running one, which is killed */
export async function remove(
  { clients, out }: CommandContext,
  ids: readonly string[],
  { force }: { readonly force: boolean },
): Promise<void> {
  for (const id of ids) {
    const process = await clients.tasks.get({ containerId: id }).then(
      (answer) => answer.process,
      (error: unknown) => {
        ignoreMissing(error)
        return undefined
      },
    )
    if (process !== undefined && process.status !== Status.STOPPED) {
      if (!force && process.status !== Status.CREATED) {
        throw new PlatformError('failedPrecondition', {
          action: 'remove container',
          subject: id,
          found: 'it is running',
          wanted: 'a stopped one',
          hint: `berthctl kill ${id} stops it, rm -f does both`,
        })
      }
      const exited = clients.tasks.wait({ containerId: id })
      exited.catch(() => undefined)
      await clients.tasks
        .kill({ containerId: id, signal: osConstants.signals.SIGKILL, all: true })
        .catch(ignoreMissing)
      await exited.catch(ignoreMissing)
    }
    await removeContainer(clients, id)
    out(`${id}\n`)
  }
}

export async function pause({ clients }: CommandContext, ids: readonly string[]): Promise<void> {
  for (const containerId of ids) await clients.tasks.pause({ containerId })
}

export async function resume({ clients }: CommandContext, ids: readonly string[]): Promise<void> {
  for (const containerId of ids) await clients.tasks.resume({ containerId })
}
