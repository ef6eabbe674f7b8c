import { readFileSync } from 'node:fs'
import { parse as parseToml } from 'smol-toml'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { LOG_FORMATS, parseAbsolutePath, parseLogLevel, type ManagerConfig } from './config.ts'
import { nearest } from './nearest.ts'

/** The only version there is. */
const CONFIG_VERSION = 1

type Table = Readonly<Record<string, unknown>>
type Reader = (value: unknown, where: string) => Partial<ManagerConfig>

/** Every key of the file, with the way it is read. */
const KEYS: Readonly<Record<string, Reader>> = {
  version: checkVersion,
  root: (value, where) => ({ rootDir: parseAbsolutePath(readString(value, where), where) }),
  state: (value, where) => ({ stateDir: parseAbsolutePath(readString(value, where), where) }),
  address: (value, where) => ({ address: parseAbsolutePath(readString(value, where), where) }),
  log_level: (value, where) => ({ logLevel: parseLogLevel(readString(value, where), where) }),
  log_format: (value, where) => ({ logFormat: readLogFormat(readString(value, where), where) }),
  runtimes: (value, where) => ({ runtimes: readRuntimes(value, where) }),
}

/**
 * Reads the configuration file. A missing file means no settings, unless the user named it.
 *
 * @throws notFound, invalidArgument with the file and the key
 */
export function readConfigFile(path: string, isRequired: boolean): Partial<ManagerConfig> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (!isRequired && errnoOf(error) === 'ENOENT') return {}
    throw wrapSystemError(error, { action: 'read the configuration', path })
  }
  return parseConfig(text, path)
}

/** @throws invalidArgument */
export function parseConfig(text: string, path: string): Partial<ManagerConfig> {
  const table = parseTable(text, path)
  if (!('version' in table)) {
    throw new PlatformError('invalidArgument', {
      action: 'read the configuration',
      path,
      found: 'no version',
      wanted: `version = ${String(CONFIG_VERSION)}`,
    })
  }
  let config: Partial<ManagerConfig> = {}
  for (const [key, value] of Object.entries(table)) {
    const read = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined
    if (read === undefined) throw unknownKey(key, path)
    config = { ...config, ...read(value, `${path} key ${key}`) }
  }
  return config
}

function parseTable(text: string, path: string): Table {
  try {
    return parseToml(text)
  } catch (error) {
    throw new PlatformError(
      'invalidArgument',
      {
        action: 'read the configuration',
        path,
        found: error instanceof Error ? error.message.replace(/\s+/g, ' ').trim() : String(error),
        wanted: 'TOML',
      },
      { cause: error },
    )
  }
}

function unknownKey(key: string, path: string): PlatformError {
  const known = Object.keys(KEYS)
  return new PlatformError('invalidArgument', {
    action: 'read the configuration',
    path,
    found: `the unknown key ${key}`,
    wanted: `one of ${known.join(', ')}`,
    hint: `did you mean ${nearest(key, known)}?`,
  })
}

function checkVersion(value: unknown, where: string): Partial<ManagerConfig> {
  if (value !== CONFIG_VERSION) {
    throw wrongType(where, value, `version ${String(CONFIG_VERSION)}`)
  }
  return {}
}

function readString(value: unknown, where: string): string {
  if (typeof value !== 'string') throw wrongType(where, value, 'a string')
  return value
}

function readLogFormat(raw: string, where: string): ManagerConfig['logFormat'] {
  const format = LOG_FORMATS.find((known) => known === raw)
  if (format === undefined) throw wrongType(where, raw, `one of ${LOG_FORMATS.join(', ')}`)
  return format
}

function readRuntimes(value: unknown, where: string): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongType(where, value, 'a table of runtime name = shim program')
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, shim]) => [name, readString(shim, `${where}.${name}`)]),
  )
}

function wrongType(where: string, value: unknown, wanted: string): PlatformError {
  return new PlatformError('invalidArgument', {
    action: 'read the configuration',
    step: where,
    found: JSON.stringify(value),
    wanted,
  })
}
