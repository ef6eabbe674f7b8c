/** `delete`: takes away what a shim left behind, and tells how the container ended if anybody can know. */
import { closeSync, existsSync, readFileSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../../native/binding.ts'
import { DeleteResponse } from '../../proto/generated/containerd/runtime/task/v2/shim.ts'
import { errnoOf } from '../../proto/errors/platform-error.ts'
import {
  UNKNOWN_EXIT_STATUS,
  exitRecordOf,
  readExitRecord,
  writeExitRecord,
  type ExitRecord,
} from '../exit-record.ts'
import { SILENT_LOG } from '../log.ts'
import { unmountRootfs } from '../mounts.ts'
import type { RuntimeDriver } from '../runtime-driver.ts'
import { loadRuntimeOptions } from '../runtime-options.ts'
import { nowNs, timestampOf } from '../timestamp.ts'
import { groupOf } from './grouping.ts'
import { socketPath, type ShimIdentity } from './identity.ts'
import { waitForEnd } from './process-end.ts'

/** After SIGKILL: longer only for a process in an uninterruptible wait, whose status then stays unknown. */
const KILL_TIMEOUT_MS = 3000
const SIGKILL = 9

/**
 * Safe to repeat, and for a container that was never created.
 *
 * @param warn takes a line for the daemon's log
 * @returns an encoded DeleteResponse
 */
export async function deleteContainer(
  identity: ShimIdentity,
  bundle: string,
  warn: (line: string) => void,
): Promise<Uint8Array> {
  const options = loadRuntimeOptions(bundle)
  let record = readExitRecord(bundle, '')
  if (options !== undefined) {
    const socketDirectory = join(identity.stateDirectory, 's')
    const { openDriver } = await import('../driver-factory.ts')
    const driver = await openDriver({ identity, bundle, options, socketDirectory, log: SILENT_LOG })
    record ??= await endContainer(driver, identity.id, bundle)
    await driver.delete(identity.id, { force: true })
  }
  if (existsSync(bundle)) {
    unmountRootfs(bundle)
    removeOwnSocket(identity.id, bundle)
  }
  record ??= { pid: 0, exitStatus: UNKNOWN_EXIT_STATUS, how: 'unknown', exitedAtNs: nowNs() }
  if (record.how === 'unknown') {
    warn(
      `the exit status of container ${identity.id} is not known: reported as ${String(UNKNOWN_EXIT_STATUS)}`,
    )
  }
  return DeleteResponse.encode({
    pid: record.pid,
    exitStatus: record.exitStatus,
    exitedAt: timestampOf(record.exitedAtNs),
  }).finish()
}

/** Kills the first process if it lives, and asks the kernel how it ended. */
async function endContainer(
  driver: RuntimeDriver,
  id: string,
  bundle: string,
): Promise<ExitRecord | undefined> {
  const state = await driver.state(id)
  if (state === undefined || state.initPid === 0) return undefined
  let pidfd: number
  try {
    pidfd = native().pidfdOpen(state.initPid)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return undefined
    throw error
  }
  try {
    await driver.kill(id, SIGKILL, { all: true }).catch(() => {
      // It ended in between, or the runtime lost its state: the process itself is what matters.
      killQuietly(pidfd)
    })
    const exit = await waitForEnd(state.initPid, pidfd, KILL_TIMEOUT_MS)
    if (exit === undefined) return undefined
    const record = exitRecordOf(state.initPid, exit)
    writeExitRecord(bundle, '', record)
    return record
  } finally {
    closeSync(pidfd)
  }
}

function killQuietly(pidfd: number): void {
  try {
    native().pidfdSendSignal(pidfd, SIGKILL)
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}

/** A shim that was killed leaves its socket; one that serves others of its group keeps it. */
function removeOwnSocket(id: string, bundle: string): void {
  let path: string
  try {
    if (groupOf(bundle, id) !== id) return
    path = socketPath(readFileSync(join(bundle, 'address'), 'utf8'))
    closeSync(native().connectUnix(path))
  } catch (error) {
    if (errnoOf(error) !== 'ECONNREFUSED') return
    path = socketPath(readFileSync(join(bundle, 'address'), 'utf8'))
    unlinkSync(path)
  }
}
