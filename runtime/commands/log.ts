/** Messages for whoever called the runtime: stderr, and the log file that containerd and dockerd read. */
import { appendFileSync } from 'node:fs'
import { STDERR, writeText } from '../../native/write-text.ts'

export interface Log {
  readonly error: (message: string) => void
  readonly warning: (message: string) => void
}

export interface LogOptions {
  /** Undefined: stderr only. */
  readonly path?: string | undefined
  readonly format: 'text' | 'json'
}

/**
 * An error goes to both, as in runc: containerd shows the last error line of the file, a person sees stderr.
 * A warning goes to the file where there is one.
 */
export function openLog({ path, format }: LogOptions): Log {
  const append = (level: 'error' | 'warning', message: string): void => {
    if (path !== undefined)
      appendFileSync(path, formatLine(format, level, message), { mode: 0o644 })
  }
  return {
    error: (message) => {
      writeText(STDERR, `berth-runtime: ${message}\n`)
      append('error', message)
    },
    warning: (message) => {
      if (path === undefined) writeText(STDERR, `berth-runtime: warning: ${message}\n`)
      append('warning', message)
    },
  }
}

/** As logrus writes it: the readers of runc's logs parse that. */
export function formatLine(
  format: 'text' | 'json',
  level: 'error' | 'warning',
  message: string,
  time = new Date(),
): string {
  const stamp = time.toISOString()
  switch (format) {
    case 'json':
      return `${JSON.stringify({ level, msg: message, time: stamp })}\n`
    case 'text':
      return `time="${stamp}" level=${level} msg=${JSON.stringify(message)}\n`
  }
}
