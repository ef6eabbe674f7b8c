/** The few things of config.json that the shim itself must know. The runtime reads and checks the rest. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlatformError, wrapSystemError } from '../proto/errors/platform-error.ts'

export interface ContainerConfig {
  /** The kernel ends all processes with the first one. */
  readonly hasOwnPidNamespace: boolean
  /** A security module judges by label or path which files its processes may use. */
  readonly isConfined: boolean
}

/** @throws notFound without config.json; invalidArgument when it is not a JSON object */
export function readContainerConfig(bundle: string): ContainerConfig {
  const path = join(bundle, 'config.json')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw wrapSystemError(error, { action: 'read', path })
  }
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch (cause) {
    throw new PlatformError('invalidArgument', { action: 'parse', path, wanted: 'JSON' }, { cause })
  }
  return summarizeConfig(config)
}

/** Looks only; a document of the wrong shape is for the runtime to refuse. */
export function summarizeConfig(config: unknown): ContainerConfig {
  const process = member(config, 'process')
  const namespaces = member(member(config, 'linux'), 'namespaces')
  const pidNamespace = elements(namespaces).find((namespace) => member(namespace, 'type') === 'pid')
  return {
    hasOwnPidNamespace: pidNamespace !== undefined && !isText(member(pidNamespace, 'path')),
    isConfined:
      isText(member(process, 'apparmorProfile')) || isText(member(process, 'selinuxLabel')),
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
}

function elements(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}
