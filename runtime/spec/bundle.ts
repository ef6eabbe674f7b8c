/** Reads a bundle's config.json. @see runtime-spec v1.3 bundle.md */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { MAX_JSON_BYTES } from './json.ts'
import { parseSpec } from './parse.ts'
import type { Spec } from './types.ts'

export const CONFIG_FILE = 'config.json'

/** A bundle that has been read. It is read once: what was checked is what is carried out. */
export interface Bundle {
  /** Absolute. */
  readonly path: string
  /** The text of config.json. */
  readonly config: string
  readonly spec: Spec
  /** What was ignored in it. */
  readonly warnings: readonly string[]
}

/**
 * @param path absolute path of the bundle directory
 * @throws notFound, invalidArgument
 */
export function openBundle(path: string): Bundle {
  const config = readDocument(join(path, CONFIG_FILE), CONFIG_FILE)
  const { value: spec, warnings } = parseSpec(config)
  return { path, config, spec, warnings }
}

/**
 * The text of a JSON document of bounded size.
 *
 * @param document what it is called in errors
 */
export function readDocument(path: string, document: string): string {
  const action = `read ${document}`
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    const hint =
      document === CONFIG_FILE ? 'berth-runtime spec writes one to start from' : undefined
    throw wrapSystemError(error, { action, path, hint })
  }
  try {
    const status = fstatSync(fd)
    if (status.isDirectory() || status.size > MAX_JSON_BYTES) {
      throw new PlatformError('invalidArgument', {
        action,
        path,
        found: status.isDirectory() ? 'a directory' : `${status.size} bytes`,
        wanted: `a file of at most ${MAX_JSON_BYTES} bytes`,
      })
    }
    return readFileSync(fd, 'utf8')
  } catch (error) {
    throw wrapSystemError(error, { action, path })
  } finally {
    closeSync(fd)
  }
}
