/**
 * Starts berth-init with a plan and talks to it.
 *
 * ```
 * runtime                              init
 *   spawn(plan, descriptors)  ───────>  reads the plan, joins its cgroups
 *   sync: id maps, hooks      <───────  awaitParent         (where there are some)
 *   go                        ───────>
 *   pidfd of the fork         <───────  forkIntoNamespaces (joined namespaces only)
 *   go                        ───────>
 *   terminal master           <───────  openConsole
 *   ready                     <───────  awaitStart          (create)
 *   end of file               <───────  execve closes it    (exec)
 *   failure                   <───────  at any point: step, operation, errno
 * ```
 */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../../native/binding.ts'
import { encodePlan } from '../../native/generated/operations.ts'
import { decodeReport, type InitReport, REPORT_LIMIT_BYTES } from '../../native/init-report.ts'
import { programDirectory } from '../../native/program-directory.ts'
import { PlatformError, errnoOf, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { Plan } from '../plan/plan.ts'

export interface InitOptions {
  /** stdin, stdout, stderr; -1 is /dev/null. */
  readonly stdio: readonly [number, number, number]
  /** Kept by the program from 3 on. */
  readonly preserveFds: readonly number[]
  /** Passed beside the plan before the namespace files: the start socket. They stay the caller's. */
  readonly descriptors: readonly number[]
  /** The cgroup v2 to be born in. */
  readonly unifiedCgroup: string | undefined
}

const GO = new Uint8Array([1])

/** berth-init as a sealed memfd: no container can reach or change the file on disk (S-03). One per program run. */
let sealedInit: number | undefined

function initExecutable(): number {
  sealedInit ??= native().sealedMemfdFromFile('berth-init', join(programDirectory(), 'berth-init'))
  return sealedInit
}

export class InitProcess implements Disposable {
  readonly #control: number
  #pid: number
  #pidfd: number
  #open = true
  /** While the fork is not adopted, an orphan reaper (the shim's) must not take it for nobody's. */
  #holdsOrphans: boolean

  private constructor(control: number, pid: number, pidfd: number, forks: boolean) {
    this.#control = control
    this.#pid = pid
    this.#pidfd = pidfd
    this.#holdsOrphans = forks
  }

  static spawn(plan: Plan, options: InitOptions): InitProcess {
    const opened: number[] = []
    const [parentEnd, childEnd] = native().socketpair()
    if (plan.forks) native().holdOrphans()
    try {
      const planFd = native().sealedMemfd('plan', encodePlan(plan.operations))
      opened.push(planFd)
      const namespaceFds = plan.namespacePaths.map(openNamespace)
      opened.push(...namespaceFds)
      const birthplace = openCgroupDirectory(options.unifiedCgroup)
      opened.push(...birthplace)
      const [cgroupFd] = birthplace
      const controlFd = 3 + options.preserveFds.length
      const { pid, pidfd } = native().spawn({
        executable: initExecutable(),
        argv: ['berth-init', String(controlFd)],
        env: [],
        fds: [
          ...options.stdio,
          ...options.preserveFds,
          childEnd,
          planFd,
          ...options.descriptors,
          ...namespaceFds,
        ],
        cloneFlags: plan.cloneFlags,
        ...(cgroupFd === undefined ? {} : { cgroupFd }),
      })
      return new InitProcess(parentEnd, pid, pidfd, plan.forks)
    } catch (error) {
      if (plan.forks) native().releaseOrphans()
      closeSync(parentEnd)
      throw wrapSystemError(error, { action: 'start berth-init' })
    } finally {
      closeSync(childEnd)
      for (const fd of opened) closeSync(fd)
    }
  }

  /** The process that goes on: after a fork, the forked one. */
  get pid(): number {
    return this.#pid
  }

  get pidfd(): number {
    return this.#pidfd
  }

  /** The next report; undefined once init has executed the program, or has ended. */
  async next(): Promise<InitReport | undefined> {
    for (;;) {
      try {
        const message = native().receiveMessage(this.#control, REPORT_LIMIT_BYTES)
        if (message.data.byteLength === 0) return undefined
        const report = decodeReport(message)
        if (report !== undefined) return report
        for (const fd of message.fds) closeSync(fd)
        throw new PlatformError('internal', {
          action: 'read report of berth-init',
          found: `${String(message.data.byteLength)} bytes that are no report`,
          wanted: 'a report of this version: berth-init and berth must come from one build',
        })
      } catch (error) {
        if (errnoOf(error) === 'ECONNRESET') return undefined
        if (errnoOf(error) !== 'EAGAIN') throw error
        await readable(this.#control)
      }
    }
  }

  /** Lets init pass the point it waits at. */
  go(): void {
    native().sendMessage(this.#control, GO, [])
  }

  /** Goes on with the process that init forked into; the first one ends by itself and is reaped. */
  adopt(pidfd: number): void {
    const first = this.#pidfd
    native().watchExit(first, () => {
      closeSync(first)
    })
    this.#pidfd = pidfd
    this.#pid = pidOfPidfd(pidfd)
    this.#releaseOrphans()
  }

  /** Kills what was started and reaps it: a failed launch leaves no process. */
  async kill(): Promise<void> {
    try {
      native().pidfdSendSignal(this.#pidfd, SIGKILL)
    } catch (error) {
      if (errnoOf(error) !== 'ESRCH') throw error
    }
    await new Promise<void>((resolve) => {
      native().watchExit(this.#pidfd, () => {
        resolve()
      })
    })
    closeSync(this.#pidfd)
  }

  /** Closes the control socket; the process and its pidfd are the caller's. */
  [Symbol.dispose](): void {
    if (!this.#open) return
    this.#open = false
    closeSync(this.#control)
    this.#releaseOrphans()
  }

  #releaseOrphans(): void {
    if (!this.#holdsOrphans) return
    this.#holdsOrphans = false
    native().releaseOrphans()
  }
}

const SIGKILL = 9

function openNamespace(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw wrapSystemError(error, { action: 'open namespace', path })
  }
}

/** None for a host without cgroup v2. */
function openCgroupDirectory(path: string | undefined): readonly number[] {
  if (path === undefined) return []
  try {
    return [openSync(path, 'r')]
  } catch (error) {
    throw wrapSystemError(error, { action: 'open cgroup', path })
  }
}

function readable(fd: number): Promise<void> {
  return new Promise((resolve) => {
    native().watchReadable(fd, resolve)
  })
}

/** The number in our pid namespace; the pidfd keeps it from being somebody else's while it is open. */
function pidOfPidfd(pidfd: number): number {
  const info = readFileSync(`/proc/self/fdinfo/${String(pidfd)}`, 'latin1')
  const pid = Number(/^Pid:\s*(-?\d+)$/m.exec(info)?.[1] ?? -1)
  if (pid > 0) return pid
  throw new PlatformError('failedPrecondition', {
    action: 'start berth-init',
    found: 'a process that ended before it was known',
    wanted: 'a running process',
  })
}
