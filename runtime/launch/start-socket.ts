/**
 * The socket through which a created container is started. Init waits on it with accept(2); who connects
 * starts the program, and reads from the connection why it could not be executed, or end of file when it was.
 */
import { closeSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../../native/binding.ts'
import { decodeReport, type InitFailure, REPORT_LIMIT_BYTES } from '../../native/init-report.ts'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'

const START_SOCKET = 'start.sock'

/** Listens in the container's state directory; the descriptor is the caller's, to be passed to init. */
export function listenForStart(stateDirectory: string): number {
  return throughDirectory(stateDirectory, (directory) =>
    native().listenUnix(join(directory, START_SOCKET)),
  )
}

/**
 * Starts the program of a created container.
 *
 * @returns what prevented it from being executed; undefined when it runs
 * @throws failedPrecondition when it was started before or has ended
 */
export async function connectToStart(
  stateDirectory: string,
  id: string,
): Promise<InitFailure | undefined> {
  let connection: number
  try {
    connection = throughDirectory(stateDirectory, (directory) =>
      native().connectUnix(join(directory, START_SOCKET)),
    )
  } catch (error) {
    const errno = errnoOf(error)
    if (errno !== 'ENOENT' && errno !== 'ECONNREFUSED') {
      throw wrapSystemError(error, { action: 'start container', subject: id })
    }
    throw new PlatformError(
      'failedPrecondition',
      {
        action: 'start container',
        subject: id,
        found:
          errno === 'ENOENT'
            ? 'a container that was started before'
            : 'a container whose process has ended',
        wanted: 'a created container',
      },
      { cause: error },
    )
  }
  // Nobody else may start it: a second connection would wait for ever.
  rmSync(join(stateDirectory, START_SOCKET), { force: true })
  try {
    await new Promise<void>((resolve) => {
      native().watchReadable(connection, resolve)
    })
    return readFailure(connection)
  } finally {
    closeSync(connection)
  }
}

function readFailure(connection: number): InitFailure | undefined {
  try {
    const message = native().receiveMessage(connection, REPORT_LIMIT_BYTES)
    const report = decodeReport(message)
    return report?.kind === 'failure' ? report : undefined
  } catch (error) {
    // Init was killed while it held the connection: the exit of the container tells how.
    if (errnoOf(error) === 'ECONNRESET') return undefined
    throw error
  }
}

/** Socket addresses hold 108 bytes; through a descriptor the length of the state root does not matter. */
function throughDirectory<T>(directory: string, use: (path: string) => T): T {
  const fd = openSync(directory, 'r')
  try {
    return use(`/proc/self/fd/${String(fd)}`)
  } finally {
    closeSync(fd)
  }
}
