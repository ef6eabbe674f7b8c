/** cgroup v1: one directory in each hierarchy, and one on the v2 mount beside them where there is one. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf, PlatformError } from '../../proto/errors/platform-error.ts'
import type { LinuxResources } from '../spec/types.ts'
import { Backoff } from './backoff.ts'
import type { Cgroup } from './cgroup.ts'
import { type CgroupPaths, UNIFIED } from './cgroup-path.ts'
import { makeCgroupDirectory, removeCgroupDirectories } from './directories.ts'
import { type CgroupWrite, readCgroupFile, writeCgroupFile } from './files.ts'
import { deviceWritesV1, limitsV1 } from './limits-v1.ts'
import { killUntilEmpty, readPids, signalProcesses } from './processes.ts'

const FREEZE_DEADLINE_MS = 10_000
const SIGKILL = 9

/** @param paths of a Cgroup, made or only planned */
export function taskFilesOf(paths: CgroupPaths): readonly string[] {
  const directories = Object.entries(paths).flatMap(([controller, directory]) =>
    controller === UNIFIED ? [] : [directory],
  )
  return [...new Set(directories)].map((directory) => join(directory, 'tasks'))
}

export class CgroupV1 implements Cgroup {
  readonly version = 1
  readonly paths: CgroupPaths
  /** Controllers mounted together share a directory. */
  readonly #directories: readonly string[]

  constructor(paths: CgroupPaths) {
    this.paths = paths
    this.#directories = [...new Set(Object.values(paths))]
  }

  get unifiedPath(): string | undefined {
    return this.paths[UNIFIED]
  }

  /** Makes the directories and sets the limits. @throws after removing what was made */
  static async create(paths: CgroupPaths, resources: LinuxResources): Promise<CgroupV1> {
    const cgroup = new CgroupV1(paths)
    const made: string[] = []
    try {
      // Planned before anything is made: most mistakes are in the values.
      const writes = [...deviceWritesV1(resources.devices), ...limitsV1(resources)]
      for (const directory of cgroup.#directories) made.push(...makeCgroupDirectory(directory))
      if (cgroup.#directories.some((directory) => !made.includes(directory))) {
        cgroup.#takeOver()
      }
      inheritCpuset(paths['cpuset'])
      cgroup.#write(writes)
      return cgroup
    } catch (error) {
      await removeCgroupDirectories(made.toReversed())
      throw error
    }
  }

  get taskFiles(): readonly string[] {
    return taskFilesOf(this.paths)
  }

  pids(): readonly number[] {
    return readPids(this.#freezer ?? this.unifiedPath ?? this.#directories[0] ?? '')
  }

  async freeze(): Promise<void> {
    const state = this.#freezerState()
    writeCgroupFile(state, 'FROZEN')
    const backoff = new Backoff(FREEZE_DEADLINE_MS)
    while (readCgroupFile(state) !== 'FROZEN') {
      if (await backoff.pause()) continue
      this.thaw()
      throw new PlatformError('deadlineExceeded', {
        action: 'freeze container',
        path: state,
        found: 'processes that do not stop',
        wanted: `FROZEN within ${FREEZE_DEADLINE_MS / 1000} s`,
      })
    }
  }

  thaw(): void {
    writeCgroupFile(this.#freezerState(), 'THAWED')
  }

  isFrozen(): boolean {
    const state = this.#freezer === undefined ? undefined : join(this.#freezer, 'freezer.state')
    try {
      return state !== undefined && readCgroupFile(state) !== 'THAWED'
    } catch (error) {
      if (isGone(error)) return false
      throw error
    }
  }

  async signalAll(signal: number): Promise<void> {
    const pids = (): readonly number[] => this.pids()
    const isPaused = this.isFrozen()
    if (this.#freezer === undefined || pids().length === 0) {
      signalProcesses(pids, signal)
      return
    }
    try {
      if (!isPaused) await this.freeze()
      signalProcesses(pids, signal)
    } finally {
      // A frozen process does not die of SIGKILL on v1; another signal must not end a pause.
      if (!isPaused || signal === SIGKILL) this.thaw()
    }
  }

  killAll(): Promise<void> {
    return killUntilEmpty(
      () => this.pids(),
      async () => {
        const kill =
          this.unifiedPath === undefined ? undefined : join(this.unifiedPath, 'cgroup.kill')
        if (kill !== undefined && existsSync(kill)) {
          writeCgroupFile(kill, '1')
          if (this.isFrozen()) this.thaw()
        }
        // What has left the v2 cgroup is still in the freezer's.
        await this.signalAll(SIGKILL)
      },
    )
  }

  update(resources: LinuxResources): void {
    const devices = resources.devices === undefined ? [] : deviceWritesV1(resources.devices)
    this.#write([...devices, ...limitsV1(resources)])
  }

  destroy(): Promise<void> {
    return removeCgroupDirectories(this.#directories)
  }

  get #freezer(): string | undefined {
    return this.paths['freezer']
  }

  #freezerState(): string {
    if (this.#freezer !== undefined) return join(this.#freezer, 'freezer.state')
    throw new PlatformError('failedPrecondition', {
      action: 'freeze container',
      found: 'no freezer hierarchy on this host',
      wanted: 'mount -t cgroup -o freezer none /sys/fs/cgroup/freezer',
    })
  }

  /** A directory that was there may be used if nobody is in it. */
  #takeOver(): void {
    for (const directory of this.#directories) {
      const pids = readPids(directory)
      if (pids.length === 0) continue
      throw new PlatformError('failedPrecondition', {
        action: 'create cgroup',
        path: directory,
        found: `an existing cgroup with processes ${pids.join(' ')}`,
        wanted: 'a cgroup of its own',
        hint: 'give the container another linux.cgroupsPath',
      })
    }
    // The first process in a frozen cgroup would hang (S-26).
    if (this.isFrozen()) this.thaw()
  }

  #write(writes: readonly CgroupWrite[]): void {
    for (const [index, item] of writes.entries()) {
      try {
        writeCgroupFile(this.#fileOf(item), item.value)
      } catch (error) {
        const partner = writes.slice(index + 1).find(({ file }) => file === PARTNERS[item.file])
        if (partner === undefined || !isRejected(error)) throw error
        // Each is checked against the other's old value: raise the partner first.
        writeCgroupFile(this.#fileOf(partner), partner.value)
        writeCgroupFile(this.#fileOf(item), item.value)
      }
    }
  }

  #fileOf({ controller, file }: CgroupWrite): string {
    const directory = this.paths[controller]
    if (directory === undefined) {
      throw new PlatformError('failedPrecondition', {
        action: 'set cgroup limit',
        subject: file,
        found: `no ${controller} hierarchy on this host`,
        wanted: `mount -t cgroup -o ${controller} none /sys/fs/cgroup/${controller}`,
      })
    }
    const path = join(directory, file)
    const alternative = ALTERNATIVES[file]
    return alternative === undefined || existsSync(path) ? path : join(directory, alternative)
  }
}

const PARTNERS: Readonly<Record<string, string>> = {
  'memory.limit_in_bytes': 'memory.memsw.limit_in_bytes',
  'cpu.cfs_period_us': 'cpu.cfs_quota_us',
  'cpu.rt_period_us': 'cpu.rt_runtime_us',
}

/** The weights belong to an I/O scheduler; with BFQ they are called differently. */
const ALTERNATIVES: Readonly<Record<string, string>> = {
  'blkio.weight': 'blkio.bfq.weight',
  'blkio.weight_device': 'blkio.bfq.weight_device',
}

function isRejected(error: unknown): boolean {
  return error instanceof PlatformError && error.facts.errno === 'EINVAL'
}

function isGone(error: unknown): boolean {
  const errno = error instanceof PlatformError ? error.facts.errno : errnoOf(error)
  return errno === 'ENOENT' || errno === 'ENODEV'
}

/** A new cpuset is empty and takes no process until it has processors and memory nodes: its parent's. */
function inheritCpuset(directory: string | undefined): void {
  if (directory === undefined) return
  for (const file of ['cpuset.cpus', 'cpuset.mems']) inheritCpusetFile(directory, file)
}

function inheritCpusetFile(directory: string, file: string): string {
  const path = join(directory, file)
  const own = readCgroupFile(path)
  if (own !== '' || !existsSync(join(dirname(directory), file))) return own
  const inherited = inheritCpusetFile(dirname(directory), file)
  writeCgroupFile(path, inherited)
  return inherited
}
