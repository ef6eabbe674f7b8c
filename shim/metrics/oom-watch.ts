/** Tells when the kernel has killed something in a container for want of memory. */
import { closeSync, openSync, readSync, watch, writeFileSync, type FSWatcher } from 'node:fs'
import { join } from 'node:path'
import { native } from '../../native/binding.ts'
import { readCounts, readText } from './cgroup-files.ts'
import { cgroupPathsOf } from './cgroup-paths.ts'

export interface OomWatch {
  /** Looks now, so that a kill is told before the exit it caused. */
  check(): void
  close(): void
}

const EVENTFD_BYTES = 8

/** @param initPid the container's first process, while it lives */
export function openOomWatch(initPid: number, onOom: () => void): OomWatch | undefined {
  const paths = cgroupPathsOf(initPid)
  if (paths.version === 2) return new UnifiedOomWatch(paths.directory, onOom)
  const directory = paths.directories.get('memory')
  return directory === undefined ? undefined : new LegacyOomWatch(directory, onOom)
}

/** The kernel's own count, so that each kill is told once however it was noticed. */
class OomCounter {
  readonly #directory: string
  readonly #file: string
  readonly #onOom: () => void
  #told: bigint

  constructor(directory: string, file: string, onOom: () => void) {
    this.#directory = directory
    this.#file = file
    this.#onOom = onOom
    this.#told = this.#read() ?? 0n
  }

  check(): void {
    const count = this.#read()
    if (count === undefined || count <= this.#told) return
    this.#told = count
    this.#onOom()
  }

  /** @returns undefined when the cgroup is gone */
  #read(): bigint | undefined {
    if (readText(this.#directory, this.#file) === undefined) return undefined
    return readCounts(this.#directory, this.#file)('oom_kill')
  }
}

/** cgroup v1: an eventfd is signalled for each OOM, and when the cgroup goes. */
class LegacyOomWatch implements OomWatch {
  readonly #counter: OomCounter
  readonly #eventFd: number
  #isClosed = false

  constructor(directory: string, onOom: () => void) {
    this.#counter = new OomCounter(directory, 'memory.oom_control', onOom)
    this.#eventFd = native().eventfd()
    const controlFd = openSync(join(directory, 'memory.oom_control'), 'r')
    try {
      const registration = `${String(this.#eventFd)} ${String(controlFd)}`
      writeFileSync(join(directory, 'cgroup.event_control'), registration)
    } catch (error) {
      closeSync(this.#eventFd)
      throw error
    } finally {
      closeSync(controlFd)
    }
    this.#watch()
  }

  check(): void {
    this.#counter.check()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    native().unwatchReadable(this.#eventFd)
    closeSync(this.#eventFd)
  }

  #watch(): void {
    native().watchReadable(this.#eventFd, () => {
      if (this.#isClosed) return
      readSync(this.#eventFd, Buffer.alloc(EVENTFD_BYTES))
      this.#counter.check()
      this.#watch()
    })
  }
}

/** cgroup v2: memory.events is modified for each. */
class UnifiedOomWatch implements OomWatch {
  readonly #counter: OomCounter
  readonly #watcher: FSWatcher

  constructor(directory: string, onOom: () => void) {
    this.#counter = new OomCounter(directory, 'memory.events', onOom)
    this.#watcher = watch(join(directory, 'memory.events'), { persistent: false }, () => {
      this.#counter.check()
    })
  }

  check(): void {
    this.#counter.check()
  }

  close(): void {
    this.#watcher.close()
  }
}
