/** Where a client wants one stream of a process to come from or go to. */
import { PlatformError } from '../../proto/errors/platform-error.ts'

export type StreamTarget =
  | { readonly kind: 'none' }
  /** A FIFO the client made, or a file that is there already. */
  | { readonly kind: 'path'; readonly path: string }
  /** A log file, made when needed and appended to. */
  | { readonly kind: 'file'; readonly path: string }

/**
 * Empty: no stream. A bare path or `fifo://`: a FIFO. `file://`: a log file.
 *
 * @throws invalidArgument, unimplemented for other schemes
 */
export function parseStreamTarget(uri: string): StreamTarget {
  if (uri === '') return { kind: 'none' }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/.exec(uri)
  if (scheme === null) return { kind: 'path', path: checkPath(uri, uri) }
  const [, name, rest] = scheme
  const path = decodeURIComponent((rest ?? '').replace(/\?.*$/, ''))
  switch (name) {
    case 'fifo':
      return { kind: 'path', path: checkPath(path, uri) }
    case 'file':
      return { kind: 'file', path: checkPath(path, uri) }
    default:
      throw new PlatformError('unimplemented', {
        action: 'open the streams of a process',
        found: uri,
        wanted: 'a FIFO, fifo:// or file://',
      })
  }
}

function checkPath(path: string, uri: string): string {
  if (path.startsWith('/')) return path
  throw new PlatformError('invalidArgument', {
    action: 'open the streams of a process',
    found: uri,
    wanted: 'an absolute path',
  })
}
