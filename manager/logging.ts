import { Writable } from 'node:stream'
import { pino, type DestinationStream, type Logger } from 'pino'
import type { LogFormat, LogLevel } from './config/config.ts'

const STDERR_FD = 2

export interface LogOptions {
  readonly level: LogLevel
  readonly format: LogFormat
}

/** The manager's log, on stderr: one line per record, written before the call returns. */
export function createLogger({ level, format }: LogOptions): Logger {
  const stderr = pino.destination({ fd: STDERR_FD, sync: true })
  const destination: DestinationStream = format === 'json' ? stderr : textDestination(stderr)
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
}

function textDestination(output: DestinationStream): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, callback) {
      output.write(`${textLine(chunk.toString())}\n`)
      callback()
    },
  })
}

/** `2026-11-20T23:35:04.000Z INFO  serving address=/run/berth/berthd.sock` */
export function textLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Readonly<Record<string, unknown>>
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${fieldText(value)}`)
  return [
    String(time),
    String(level).toUpperCase().padEnd(5),
    typeof msg === 'string' ? msg : '',
    ...rest,
  ].join(' ')
}

function fieldText(value: unknown): string {
  const isPlain = typeof value === 'string' && /^[^\s"=]+$/.test(value)
  return isPlain ? value : JSON.stringify(value)
}
