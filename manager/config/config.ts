import { isAbsolute, resolve } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const LOG_FORMATS = ['text', 'json'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

/** What the manager runs with: checked and complete, every path absolute. */
export interface ManagerConfig {
  /** Data that survives a reboot: content, snapshots, metadata. */
  readonly rootDir: string
  /** State that does not: bundles, shim sockets. */
  readonly stateDir: string
  /** The gRPC socket. */
  readonly address: string
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  /** The shim program that stands for a runtime name of the clients (DESIGN 16); a name or an absolute path. */
  readonly runtimes: Readonly<Record<string, string>>
}

/** The ttrpc socket lies beside the gRPC one. */
export function ttrpcAddress({ address }: Pick<ManagerConfig, 'address'>): string {
  return `${address}.ttrpc`
}

export const DEFAULT_CONFIG_PATH = '/etc/berth/config.toml'

export const DEFAULT_CONFIG: ManagerConfig = {
  rootDir: '/var/lib/berth',
  stateDir: '/run/berth',
  address: '/run/berth/berthd.sock',
  logLevel: 'info',
  logFormat: 'text',
  runtimes: { 'io.containerd.runc.v2': 'containerd-shim-berth-v2' },
}

/** @throws invalidArgument */
export function parseLogLevel(raw: string, where: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === raw)
  if (level === undefined) {
    throw new PlatformError('invalidArgument', {
      action: 'read the log level',
      step: where,
      found: JSON.stringify(raw),
      wanted: `one of ${LOG_LEVELS.join(', ')}`,
    })
  }
  return level
}

/** @throws invalidArgument when it is not absolute: a daemon's working directory means nothing */
export function parseAbsolutePath(raw: string, where: string): string {
  if (!isAbsolute(raw)) {
    throw new PlatformError('invalidArgument', {
      action: 'read a path',
      step: where,
      found: JSON.stringify(raw),
      wanted: 'an absolute path',
    })
  }
  return resolve(raw)
}
