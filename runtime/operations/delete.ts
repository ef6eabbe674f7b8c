import { closeSync } from 'node:fs'
import { native } from '../../native/binding.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { openCgroup } from '../cgroups/open.ts'
import { runTrailingHooks } from '../hooks/run-hooks.ts'
import { parseSpec } from '../spec/parse.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import { openProcess } from '../state/init-identity.ts'
import type { ContainerRecord } from '../state/record.ts'
import { statusOf } from '../state/status.ts'
import { warn } from '../warnings.ts'
import { signalInit } from './kill.ts'
import type { ContainerReference } from '../api.ts'

const SIGKILL = 9
const EXIT_DEADLINE_MS = 10_000

/**
 * Removes all a container has on the host, then runs its poststop hooks. It can be repeated: what is gone
 * already is no error, and a delete that was cut off is completed by the next one.
 *
 * @throws failedPrecondition when it runs and `force` is not set; notFound
 */
export async function deleteContainer(
  container: ContainerReference,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const directory = ContainerDirectory.open(container)
  // Who is creating this container holds the lock: what is unfinished after this stays unfinished.
  using _lock = await directory.lock()
  const record = readRecordOf(directory)
  if (record === undefined) {
    directory.remove()
    return
  }
  const status = statusOf(directory, record)
  if (options.force !== true && (status === 'running' || status === 'paused')) {
    throw new PlatformError('failedPrecondition', {
      action: `cannot delete container ${record.id} that is not stopped: ${status}`,
    })
  }
  await removeContainer(directory, record)
}

/** The removal itself, for who holds the lock or has just made the container: nothing is checked. */
export async function removeContainer(
  directory: ContainerDirectory,
  record: ContainerRecord,
): Promise<void> {
  await endInit(record)
  const cgroup = openCgroup(record.cgroupPaths)
  // Without a pid namespace of its own, a container's processes outlive its init.
  await cgroup.killAll()
  await cgroup.destroy()
  const config = readConfigOf(directory)
  directory.remove()
  await runPoststop(record, config)
}

/** undefined for a container whose creation ended before its first record. */
function readRecordOf(directory: ContainerDirectory): ContainerRecord | undefined {
  try {
    return directory.readRecord()
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'notFound') return undefined
    throw error
  }
}

function readConfigOf(directory: ContainerDirectory): string | undefined {
  try {
    return directory.readConfig()
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'notFound') return undefined
    throw error
  }
}

/** Kills init and waits for its end without reaping it: its exit belongs to whoever started it. */
async function endInit(record: ContainerRecord): Promise<void> {
  const pidfd = record.init === undefined ? undefined : openProcess(record.init)
  if (pidfd === undefined) return
  try {
    if (!signalInit(record, SIGKILL)) return
    await waitForEnd(pidfd, record.id)
  } finally {
    closeSync(pidfd)
  }
}

function waitForEnd(pidfd: number, id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      native().unwatchReadable(pidfd)
      reject(
        new PlatformError('deadlineExceeded', {
          action: 'delete container',
          subject: id,
          found: 'an init that does not die',
          wanted: `its end within ${EXIT_DEADLINE_MS / 1000} s of SIGKILL`,
          hint: 'a process in uninterruptible sleep waits for its file system or device',
        }),
      )
    }, EXIT_DEADLINE_MS)
    native().watchReadable(pidfd, () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

async function runPoststop(record: ContainerRecord, config: string | undefined): Promise<void> {
  // Most containers have none: their document need not be parsed again.
  if (config?.includes('poststop') !== true) return
  try {
    const { hooks } = parseSpec(config).value
    await runTrailingHooks('poststop', hooks.poststop, {
      ociVersion: record.ociVersion,
      id: record.id,
      status: 'stopped',
      pid: 0,
      bundle: record.bundle,
      annotations: record.annotations,
    })
  } catch (error) {
    warn(
      `run poststop hooks of ${record.id}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
