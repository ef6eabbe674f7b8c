/** Reads a bundle's config.json. @see runtime-spec v1.3 bundle.md */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { MAX_JSON_BYTES } from './json.ts'
import { type Parsed, parseSpec } from './parse.ts'
import type { Spec } from './types.ts'

export const CONFIG_FILE = 'config.json'

/**
 * @param bundle absolute path of the bundle directory
 * @throws notFound, invalidArgument
 */
export function readSpec(bundle: string): Parsed<Spec> {
  return parseSpec(readDocument(join(bundle, CONFIG_FILE), 'config.json'))
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
