/** The shim's log: lines in the shape the daemon's own log has, into the FIFO the daemon reads. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { errnoOf } from '../proto/errors/platform-error.ts'

export type LogLevel = 'debug' | 'info' | 'warning' | 'error'

export interface Log {
  write(level: LogLevel, message: string, facts?: Readonly<Record<string, string | number>>): void
}

/** Where nothing is to be said. */
export const SILENT_LOG: Log = { write: () => undefined }

/**
 * Logs to a FIFO, if there is one. It is opened for reading too, so a daemon that is away costs us no
 * SIGPIPE; it never blocks, so what does not fit while the daemon is away is dropped.
 */
export class FifoLog implements Log {
  readonly #fd: number | undefined
  readonly #isDebug: boolean

  constructor(path: string, { isDebug }: { readonly isDebug: boolean }) {
    this.#fd = openFifo(path)
    this.#isDebug = isDebug
  }

  write(
    level: LogLevel,
    message: string,
    facts: Readonly<Record<string, string | number>> = {},
  ): void {
    if (this.#fd === undefined || (level === 'debug' && !this.#isDebug)) return
    try {
      writeSync(this.#fd, formatLine(level, message, facts))
    } catch {
      // A full FIFO: the reader is away, and there is no other place to say so.
    }
  }
}

function openFifo(path: string): number | undefined {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  if (fstatSync(fd).isFIFO()) return fd
  closeSync(fd)
  return undefined
}

export function formatLine(
  level: LogLevel,
  message: string,
  facts: Readonly<Record<string, string | number>>,
): string {
  const fields = Object.entries(facts).map(([key, value]) => ` ${key}=${quote(String(value))}`)
  return `time=${quote(new Date().toISOString())} level=${level} msg=${quote(message)}${fields.join('')} shim=berth\n`
}

function quote(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : JSON.stringify(text)
}
