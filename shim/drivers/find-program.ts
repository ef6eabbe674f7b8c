import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The absolute path of a program given by path or by its name in PATH.
 *
 * @throws notFound; invalidArgument for a path that is not absolute
 */
export function findProgram(
  name: string,
  searchPath = process.env['PATH'] ?? DEFAULT_PATH,
): string {
  if (name.includes('/')) {
    if (name.startsWith('/')) return name
    const wanted = 'an absolute path, or a name to look up in PATH'
    throw new PlatformError('invalidArgument', { action: 'find the runtime', found: name, wanted })
  }
  for (const directory of searchPath.split(':')) {
    // An empty or relative entry would mean the bundle.
    if (!directory.startsWith('/')) continue
    const path = join(directory, name)
    if (isExecutableFile(path)) return path
  }
  throw new PlatformError('notFound', {
    action: 'find the runtime',
    subject: name,
    found: `nothing of that name in ${searchPath}`,
    wanted: 'the program that BinaryName names',
  })
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
