/** Which containers share one shim. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'

/** In order of precedence. @see containerd's shim for runc, and the kubelet's sandbox annotation */
const GROUP_ANNOTATIONS = ['io.containerd.runc.v2.group', 'io.kubernetes.cri.sandbox-id'] as const

/**
 * The group a container belongs to: what its annotations say, else its own id.
 *
 * @throws notFound without config.json; invalidArgument when it is not JSON
 */
export function groupOf(bundle: string, id: string): string {
  const path = join(bundle, 'config.json')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw wrapSystemError(error, { action: 'read', path })
  }
  // Most containers belong to no group, and parsing the whole specification costs more than this.
  if (!GROUP_ANNOTATIONS.some((name) => text.includes(name))) return id
  return groupFromAnnotations(parseAnnotations(text, path)) ?? id
}

/** @returns undefined when no annotation names a group */
export function groupFromAnnotations(
  annotations: Readonly<Record<string, unknown>>,
): string | undefined {
  for (const name of GROUP_ANNOTATIONS) {
    const value = annotations[name]
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

function parseAnnotations(text: string, path: string): Readonly<Record<string, unknown>> {
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch (cause) {
    throw new PlatformError('invalidArgument', { action: 'parse', path, wanted: 'JSON' }, { cause })
  }
  if (typeof config !== 'object' || config === null || !('annotations' in config)) return {}
  const { annotations } = config
  return typeof annotations === 'object' && annotations !== null
    ? (annotations as Readonly<Record<string, unknown>>)
    : {}
}
