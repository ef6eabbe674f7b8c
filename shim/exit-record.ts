/**
 * How a process ended, on disk before anybody is told (DESIGN 7): whoever learns a status from us can rely on
 * it being the same after a crash of the shim.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessExit } from '../native/binding.ts'
import { PlatformError, errnoOf, wrapSystemError } from '../proto/errors/platform-error.ts'
import { writeFileAtomically } from './atomic-file.ts'

export interface ExitRecord {
  readonly pid: number
  /** 0 to 255; 128 + signal for a process that a signal ended; 255 when it cannot be known. */
  readonly exitStatus: number
  /** `unknown`: the kernel could not tell any more, and nothing was made up. */
  readonly how: ProcessExit['kind']
  /** Since the epoch. */
  readonly exitedAtNs: bigint
}

/** What the protocol has for a status nobody knows. */
export const UNKNOWN_EXIT_STATUS = 255
const SIGNAL_BASE = 128

export function exitRecordOf(pid: number, exit: ProcessExit): ExitRecord {
  return { pid, exitStatus: exitStatusOf(exit), how: exit.kind, exitedAtNs: exit.exitedAtNs }
}

function exitStatusOf(exit: ProcessExit): number {
  switch (exit.kind) {
    case 'exited':
      return exit.exitCode
    case 'signaled':
      return SIGNAL_BASE + exit.signal
    case 'unknown':
      return UNKNOWN_EXIT_STATUS
  }
}

/** @param execId empty for the container's first process */
export function exitRecordPath(bundle: string, execId: string): string {
  return join(bundle, execId === '' ? 'exit.json' : `exec-${execId}.exit.json`)
}

/** Returns when the record would survive a power cut. */
export function writeExitRecord(bundle: string, execId: string, record: ExitRecord): void {
  const document = { ...record, exitedAtNs: String(record.exitedAtNs) }
  writeFileAtomically(exitRecordPath(bundle, execId), JSON.stringify(document), { durable: true })
}

/**
 * @returns undefined when the process left no record
 * @throws dataLoss when there is one that cannot be understood
 */
export function readExitRecord(bundle: string, execId: string): ExitRecord | undefined {
  const path = exitRecordPath(bundle, execId)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw wrapSystemError(error, { action: 'read exit record', path })
  }
  return parseExitRecord(text, path)
}

function parseExitRecord(text: string, path: string): ExitRecord {
  try {
    const { pid, exitStatus, how, exitedAtNs } = JSON.parse(text) as Record<string, unknown>
    if (
      typeof pid === 'number' &&
      typeof exitStatus === 'number' &&
      (how === 'exited' || how === 'signaled' || how === 'unknown') &&
      typeof exitedAtNs === 'string'
    ) {
      return { pid, exitStatus, how, exitedAtNs: BigInt(exitedAtNs) }
    }
  } catch (cause) {
    throw new PlatformError('dataLoss', { action: 'parse exit record', path }, { cause })
  }
  const wanted = 'pid, exitStatus, how and exitedAtNs'
  throw new PlatformError('dataLoss', { action: 'parse exit record', path, found: text, wanted })
}
