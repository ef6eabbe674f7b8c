/**
 * The manager's own note in a bundle (`berth-task.json`): what is needed to tell the truth about a container
 * whose shim is gone when the manager comes back.
 */
import type { Bundle } from './bundle.ts'
import type { ExitStatus, ProcessIo } from './process-state.ts'

export interface TaskRecord {
  readonly initPid: number
  /** Start time of the init in clock ticks since boot: guards against a reused pid. */
  readonly initStartTicks: bigint | undefined
  readonly io: ProcessIo
  /** There once the init has exited and its shim is gone; the bundle then waits for the client's Delete. */
  readonly exit: ExitStatus | undefined
}

const FILE = 'berth-task.json'
const VERSION = 1

export async function writeTaskRecord(bundle: Bundle, record: TaskRecord): Promise<void> {
  const { initPid, initStartTicks, io, exit } = record
  const stored = {
    version: VERSION,
    initPid,
    initStartTicks: initStartTicks?.toString(),
    io,
    exit: exit && {
      exitStatus: exit.exitStatus,
      exitedAtSeconds: exit.exitedAt.seconds.toString(),
      exitedAtNanos: exit.exitedAt.nanos,
      isKnown: exit.isKnown,
    },
  }
  await bundle.writeFileAtomically(FILE, JSON.stringify(stored))
}

/** Undefined when there is none or it cannot be understood: the bundle is then handled without it. */
export async function readTaskRecord(bundle: Bundle): Promise<TaskRecord | undefined> {
  let stored: unknown
  try {
    stored = await bundle.readJson(FILE)
  } catch {
    return undefined
  }
  return parseTaskRecord(stored)
}

export function parseTaskRecord(stored: unknown): TaskRecord | undefined {
  const record = asObject(stored)
  const io = asObject(record?.['io'])
  if (record === undefined || io === undefined) return undefined
  const { version, initPid, initStartTicks } = record
  const { stdin, stdout, stderr, terminal } = io
  if (version !== VERSION || typeof initPid !== 'number') return undefined
  if (typeof stdin !== 'string' || typeof stdout !== 'string' || typeof stderr !== 'string') {
    return undefined
  }
  return {
    initPid,
    initStartTicks: isDigits(initStartTicks) ? BigInt(initStartTicks) : undefined,
    io: { stdin, stdout, stderr, terminal: terminal === true },
    exit: parseExit(asObject(record['exit'])),
  }
}

function parseExit(exit: Readonly<Record<string, unknown>> | undefined): ExitStatus | undefined {
  if (exit === undefined) return undefined
  const { exitStatus, exitedAtSeconds, exitedAtNanos, isKnown } = exit
  if (typeof exitStatus !== 'number' || !isDigits(exitedAtSeconds)) return undefined
  if (typeof exitedAtNanos !== 'number') return undefined
  const exitedAt = { seconds: BigInt(exitedAtSeconds), nanos: exitedAtNanos }
  return { exitStatus, exitedAt, isKnown: isKnown === true }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined
}

function isDigits(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9]+$/.test(value)
}
