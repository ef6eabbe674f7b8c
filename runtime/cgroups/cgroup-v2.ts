/** cgroup v2: one directory. @see cgroup-v2.rst of the kernel */
import { closeSync, existsSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { native } from '../../native/binding.ts'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { LinuxResources } from '../spec/types.ts'
import { Backoff } from './backoff.ts'
import type { Cgroup } from './cgroup.ts'
import { type CgroupPaths, UNIFIED } from './cgroup-path.ts'
import { compileDeviceProgram } from './device-program.ts'
import { withStandardDevices } from './device-rules.ts'
import { makeCgroupDirectory, removeCgroupDirectories } from './directories.ts'
import { readCgroupFile, writeCgroupFile } from './files.ts'
import { limitsV2 } from './limits-v2.ts'
import { killUntilEmpty, readPids, signalProcesses } from './processes.ts'

const FREEZE_DEADLINE_MS = 10_000
const SIGKILL = 9

export class CgroupV2 implements Cgroup {
  readonly version = 2
  readonly paths: CgroupPaths
  readonly unifiedPath: string
  readonly taskFiles = []

  constructor(path: string) {
    this.unifiedPath = path
    this.paths = { [UNIFIED]: path }
  }

  /** Makes the directory and sets the limits. @throws after removing what was made */
  static async create(
    path: string,
    mountPoint: string,
    resources: LinuxResources,
  ): Promise<CgroupV2> {
    const cgroup = new CgroupV2(path)
    const limits = limitsV2(resources)
    const made = makeCgroupDirectory(path)
    try {
      if (made.length === 0) cgroup.#takeOver()
      enableControllers(mountPoint, dirname(path))
      for (const { file, value } of limits) writeCgroupFile(join(path, file), value)
      cgroup.#attachDeviceProgram(resources)
      return cgroup
    } catch (error) {
      await removeCgroupDirectories(made.toReversed())
      throw error
    }
  }

  pids(): readonly number[] {
    return readPids(this.unifiedPath)
  }

  async freeze(): Promise<void> {
    writeCgroupFile(join(this.unifiedPath, 'cgroup.freeze'), '1')
    const backoff = new Backoff(FREEZE_DEADLINE_MS)
    while (!/^frozen 1$/m.test(readCgroupFile(join(this.unifiedPath, 'cgroup.events')))) {
      if (await backoff.pause()) continue
      this.thaw()
      throw new PlatformError('deadlineExceeded', {
        action: 'freeze container',
        path: this.unifiedPath,
        found: 'processes that do not stop',
        wanted: `"frozen 1" in cgroup.events within ${FREEZE_DEADLINE_MS / 1000} s`,
      })
    }
  }

  thaw(): void {
    writeCgroupFile(join(this.unifiedPath, 'cgroup.freeze'), '0')
  }

  isFrozen(): boolean {
    try {
      return readCgroupFile(join(this.unifiedPath, 'cgroup.freeze')) === '1'
    } catch (error) {
      const errno = error instanceof PlatformError ? error.facts.errno : errnoOf(error)
      if (errno === 'ENOENT' || errno === 'ENODEV') return false
      throw error
    }
  }

  async signalAll(signal: number): Promise<void> {
    const kill = join(this.unifiedPath, 'cgroup.kill')
    if (signal === SIGKILL && existsSync(kill)) {
      writeCgroupFile(kill, '1')
      return
    }
    const pids = (): readonly number[] => this.pids()
    const isPaused = this.isFrozen()
    if (pids().length === 0) return
    try {
      if (!isPaused) await this.freeze()
      signalProcesses(pids, signal)
    } finally {
      if (!isPaused) this.thaw()
    }
  }

  killAll(): Promise<void> {
    return killUntilEmpty(
      () => this.pids(),
      () => this.signalAll(SIGKILL),
    )
  }

  update(resources: LinuxResources): void {
    if (resources.devices !== undefined) {
      throw new PlatformError('unimplemented', {
        action: 'update container',
        step: '/devices',
        hint: 'this version cannot replace the device filter of a running container on cgroup v2',
      })
    }
    for (const { file, value } of limitsV2(resources)) {
      writeCgroupFile(join(this.unifiedPath, file), value)
    }
  }

  destroy(): Promise<void> {
    return removeCgroupDirectories([this.unifiedPath])
  }

  /** A directory that was there may be used if nobody is in it. */
  #takeOver(): void {
    const pids = this.pids()
    if (pids.length > 0) {
      throw new PlatformError('failedPrecondition', {
        action: 'create cgroup',
        path: this.unifiedPath,
        found: `an existing cgroup with processes ${pids.join(' ')}`,
        wanted: 'a cgroup of its own',
        hint: 'give the container another linux.cgroupsPath',
      })
    }
    // The first process in a frozen cgroup would hang (S-26).
    if (this.isFrozen()) this.thaw()
  }

  #attachDeviceProgram({ devices }: LinuxResources): void {
    const program = native().bpfLoadDeviceProgram(
      compileDeviceProgram(withStandardDevices(devices)),
    )
    try {
      const directory = openSync(this.unifiedPath, 'r')
      try {
        native().bpfAttachDevice(directory, program)
      } finally {
        closeSync(directory)
      }
    } catch (error) {
      throw wrapSystemError(error, { action: 'attach device filter', path: this.unifiedPath })
    } finally {
      closeSync(program)
    }
  }
}

/**
 * Hands every controller down to the parent of the container's cgroup. One that cannot be handed down is
 * missed only by a limit that needs it, and that write then says so.
 */
function enableControllers(mountPoint: string, parent: string): void {
  const below = parent
    .slice(mountPoint.length)
    .split('/')
    .filter((name) => name !== '')
  const ancestors = below.reduce<string[]>(
    (paths, name) => [...paths, join(paths.at(-1) ?? mountPoint, name)],
    [mountPoint],
  )
  for (const ancestor of ancestors) {
    const enabled = new Set(readCgroupFile(join(ancestor, 'cgroup.subtree_control')).split(' '))
    const missing = readCgroupFile(join(ancestor, 'cgroup.controllers'))
      .split(' ')
      .filter((controller) => controller !== '' && !enabled.has(controller))
    for (const controller of missing) enableController(ancestor, controller)
  }
}

function enableController(directory: string, controller: string): void {
  try {
    writeCgroupFile(join(directory, 'cgroup.subtree_control'), `+${controller}`)
  } catch (error) {
    const errno = error instanceof PlatformError ? error.facts.errno : undefined
    if (errno !== 'EBUSY' && errno !== 'EINVAL' && errno !== 'EOPNOTSUPP') throw error
  }
}
