/** Streams of a process with a terminal: its master is here, and pumps join it to the client's FIFOs. */
import { closeSync } from 'node:fs'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { native, type TerminalSize } from '../../native/binding.ts'
import type { ProcessStdio } from '../runtime-driver.ts'
import { Descriptors } from './descriptors.ts'
import { openInput, openKeeper, openOutput } from './open-target.ts'
import type { ProcessStreams } from './process-streams.ts'
import { Pump, drainPumps } from './pump.ts'
import type { StreamTarget } from './stream-target.ts'

export class TerminalStreams implements ProcessStreams {
  readonly stdio: ProcessStdio = { kind: 'terminal' }
  readonly #kept: Descriptors
  #source: number | undefined
  #sink: number | undefined
  #consoleFd: number | undefined
  #input: Pump | undefined
  #output: Pump | undefined
  /** A client may resize before the process is launched. */
  #size: TerminalSize | undefined

  private constructor(kept: Descriptors, source: number | undefined, sink: number) {
    this.#kept = kept
    this.#source = source
    this.#sink = sink
  }

  static open(targets: {
    readonly stdin: StreamTarget
    readonly stdout: StreamTarget
  }): TerminalStreams {
    const kept = new Descriptors()
    try {
      const sink = kept.add(openOutput(targets.stdout, { uid: 0, gid: 0 }))
      const keeper = openKeeper(targets.stdout)
      if (keeper !== undefined) kept.add(keeper)
      const source = targets.stdin.kind === 'none' ? undefined : kept.add(openInput(targets.stdin))
      return new TerminalStreams(kept, source, sink)
    } catch (error) {
      kept.closeAll()
      throw error
    }
  }

  attach(consoleFd: number | undefined): void {
    if (consoleFd === undefined) {
      throw new PlatformError('internal', {
        action: 'attach terminal',
        found: 'no master from the runtime',
      })
    }
    this.#consoleFd = this.#kept.add(consoleFd)
    if (this.#size !== undefined) native().setTerminalSize(consoleFd, this.#size)
    if (this.#sink !== undefined) {
      const sink = this.#kept.release(this.#sink)
      this.#sink = undefined
      this.#output = new Pump(native().dupCloexec(consoleFd), sink)
    }
    if (this.#source !== undefined) {
      const source = this.#kept.release(this.#source)
      this.#source = undefined
      this.#input = new Pump(source, native().dupCloexec(consoleFd))
    }
  }

  closeInput(): void {
    this.#input?.stop()
    if (this.#source === undefined) return
    closeSync(this.#kept.release(this.#source))
    this.#source = undefined
  }

  resize(size: TerminalSize): void {
    this.#size = size
    if (this.#consoleFd !== undefined) native().setTerminalSize(this.#consoleFd, size)
  }

  drain(timeoutMs: number): Promise<boolean> {
    return drainPumps(this.#output === undefined ? [] : [this.#output], timeoutMs)
  }

  close(): void {
    this.#consoleFd = undefined
    this.#source = undefined
    this.#sink = undefined
    this.#kept.closeAll()
    this.#input?.abandon()
    this.#output?.abandon()
  }
}
