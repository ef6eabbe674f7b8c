/**
 * Streams without a terminal.
 *
 * Output needs nobody in the middle: the process writes into the client's FIFO or log file itself, at its own speed
 * and with no copy, and goes on doing so when the shim is gone. Input goes through a pipe and a pump: a
 * FIFO that no client has opened yet would read as ended.
 */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { native } from '../../native/binding.ts'
import type { ProcessStdio } from '../runtime-driver.ts'
import { Descriptors } from './descriptors.ts'
import { openInput, openKeeper, openNullInput, openOutput } from './open-target.ts'
import type { ProcessStreams, StreamSettings } from './process-streams.ts'
import { Pump, drainPumps } from './pump.ts'
import type { StreamTarget } from './stream-target.ts'

export interface PipeTargets {
  readonly stdin: StreamTarget
  readonly stdout: StreamTarget
  readonly stderr: StreamTarget
}

interface PlannedPump {
  readonly source: number
  readonly sink: number
}

export class PipeStreams implements ProcessStreams {
  readonly stdio: ProcessStdio
  /** The process's ends, until it has them. */
  readonly #given: Descriptors
  /** Open until `close`. */
  readonly #kept: Descriptors
  #inputPlan: PlannedPump | undefined
  #outputPlans: readonly PlannedPump[]
  #input: Pump | undefined
  #outputs: readonly Pump[] = []

  private constructor(
    stdio: ProcessStdio,
    given: Descriptors,
    kept: Descriptors,
    input: PlannedPump | undefined,
    outputs: readonly PlannedPump[],
  ) {
    this.stdio = stdio
    this.#given = given
    this.#kept = kept
    this.#inputPlan = input
    this.#outputPlans = outputs
  }

  static open(targets: PipeTargets, { owner, isolated }: StreamSettings): PipeStreams {
    const given = new Descriptors()
    const kept = new Descriptors()
    const outputs: PlannedPump[] = []
    const openOut = (target: StreamTarget): number => {
      const fd = given.add(openOutput(target, owner))
      const keeper = openKeeper(target)
      if (keeper !== undefined) kept.add(keeper)
      if (!isolated || target.kind === 'none') return fd
      const [readEnd, writeEnd] = native().pipe()
      given.add(writeEnd)
      kept.add(readEnd)
      kept.add(given.release(fd))
      outputs.push({ source: readEnd, sink: fd })
      return writeEnd
    }
    try {
      let input: PlannedPump | undefined
      let stdin: number
      if (targets.stdin.kind === 'none') {
        stdin = given.add(openNullInput())
      } else {
        const source = kept.add(openInput(targets.stdin))
        const [readEnd, writeEnd] = native().pipe()
        stdin = given.add(readEnd)
        input = { source, sink: kept.add(writeEnd) }
      }
      const stdout = openOut(targets.stdout)
      const stderr = openOut(targets.stderr)
      return new PipeStreams(
        { kind: 'descriptors', stdin, stdout, stderr },
        given,
        kept,
        input,
        outputs,
      )
    } catch (error) {
      given.closeAll()
      kept.closeAll()
      throw error
    }
  }

  attach(): void {
    this.#given.closeAll()
    this.#outputs = this.#outputPlans.map((plan) => this.#start(plan))
    this.#outputPlans = []
    if (this.#inputPlan !== undefined) this.#input = this.#start(this.#inputPlan)
    this.#inputPlan = undefined
  }

  closeInput(): void {
    this.#input?.stop()
    // Closed before the process was launched: it finds its input ended.
    if (this.#inputPlan === undefined) return
    const { source, sink } = this.#inputPlan
    this.#inputPlan = undefined
    const both = new Descriptors()
    both.add(this.#kept.release(source))
    both.add(this.#kept.release(sink))
    both.closeAll()
  }

  resize(): never {
    throw new PlatformError('failedPrecondition', {
      action: 'resize terminal',
      found: 'a process without a terminal',
    })
  }

  drain(timeoutMs: number): Promise<boolean> {
    return drainPumps(this.#outputs, timeoutMs)
  }

  close(): void {
    this.#given.closeAll()
    this.#kept.closeAll()
    this.#inputPlan = undefined
    this.#outputPlans = []
    this.#input?.abandon()
    for (const pump of this.#outputs) pump.abandon()
  }

  #start({ source, sink }: PlannedPump): Pump {
    return new Pump(this.#kept.release(source), this.#kept.release(sink))
  }
}
