/** A runtime whose processes end when the test says so. */
import type { ProcessExit } from '../../native/binding.ts'
import type { DriverState, RuntimeDriver, WatchedProcess } from '../runtime-driver.ts'

/** Beyond any pid_max. */
const FIRST_PID = 0x7000_0000

export class FakeDriver implements RuntimeDriver {
  readonly calls: string[] = []
  /** What the next start or exec waits for. */
  gate: Promise<void> = Promise.resolve()
  #nextPid = FIRST_PID
  readonly #ends = new Map<number, (exit: ProcessExit) => void>()

  create(): Promise<WatchedProcess> {
    this.calls.push('create')
    return Promise.resolve(this.#launch())
  }

  async start(): Promise<void> {
    this.calls.push('start')
    await this.gate
  }

  async exec(): Promise<WatchedProcess> {
    this.calls.push('exec')
    await this.gate
    return this.#launch()
  }

  kill(_id: string, signal: number, { all }: { readonly all: boolean }): Promise<void> {
    this.calls.push(`kill ${String(signal)}${all ? ' all' : ''}`)
    return Promise.resolve()
  }

  delete(): Promise<void> {
    this.calls.push('delete')
    for (const pid of [...this.#ends.keys()])
      this.end(pid, { kind: 'signaled', signal: 9, exitedAtNs: 9n })
    return Promise.resolve()
  }

  pause(): Promise<void> {
    this.calls.push('pause')
    return Promise.resolve()
  }

  resume(): Promise<void> {
    this.calls.push('resume')
    return Promise.resolve()
  }

  update(): Promise<void> {
    this.calls.push('update')
    return Promise.resolve()
  }

  pids(): Promise<readonly number[]> {
    return Promise.resolve([...this.#ends.keys()])
  }

  state(): Promise<DriverState | undefined> {
    return Promise.resolve(undefined)
  }

  /** The process ends. */
  end(pid: number, exit: ProcessExit = { kind: 'exited', exitCode: 0, exitedAtNs: 1n }): void {
    this.#ends.get(pid)?.(exit)
    this.#ends.delete(pid)
  }

  #launch(): WatchedProcess {
    const pid = this.#nextPid++
    const exited = new Promise<ProcessExit>((resolve) => {
      this.#ends.set(pid, resolve)
    })
    const signal = (number: number): void => {
      this.calls.push(`signal ${String(pid)} ${String(number)}`)
    }
    return { pid, consoleFd: undefined, exited, signal }
  }
}
