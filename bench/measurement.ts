/** A measurement: the same work by us and by a peer, alternating, in one run on one machine. */
import { performance } from 'node:perf_hooks'

import { helper } from '../conformance/harness/helpers.ts'
import { runOk } from '../conformance/harness/process.ts'

export interface Comparison {
  readonly what: string
  readonly unit: 'ms' | 'KiB'
  readonly peerName: string
  /** Medians, or for memory the mean. */
  readonly ours: number
  readonly peer: number
  /**
   * Medians of the processor time of the command and of what it waited for, in milliseconds: a busy machine
   * disturbs them less. Without what a daemon did for it.
   */
  readonly cpu?: { readonly oursMs: number; readonly peerMs: number }
  /** What DESIGN asks for: ours / peer is at most this; undefined is for information. */
  readonly target?: number
  /** How many values each side has. */
  readonly samples: number
}

export interface Timing {
  readonly wallMs: number
  readonly cpuMs: number
}

export type Command = readonly [file: string, ...args: string[]]

/**
 * Times commands with a small helper program, one after the other in each round.
 *
 * @param wrapper a command that the helper is run by, for example in a namespace
 * @returns the times of each command
 */
export async function timeCommands(
  rounds: number,
  commands: readonly Command[],
  { wrapper = [], env }: { readonly wrapper?: readonly string[]; readonly env: NodeJS.ProcessEnv },
): Promise<readonly (readonly Timing[])[]> {
  const words = commands.flatMap((command, position) =>
    position === 0 ? command : ['--next', ...command],
  )
  const [file = '', ...args] = [...wrapper, await helper('stopwatch'), String(rounds), ...words]
  const { stdout } = await runOk(file, args, { env, timeoutMs: 600_000 })
  return stdout
    .trim()
    .split('\n')
    .map((line) =>
      line.split(' ').map((sample) => {
        const [wallNs, cpuNs] = sample.split(':').map(Number)
        return { wallMs: (wallNs ?? NaN) / 1e6, cpuMs: (cpuNs ?? NaN) / 1e6 }
      }),
    )
}

/** A comparison of commands that were timed in the same rounds. */
export function compareTimings(
  what: string,
  peerName: string,
  ours: readonly Timing[] = [],
  peer: readonly Timing[] = [],
  target?: number,
): Comparison {
  return {
    what,
    unit: 'ms',
    peerName,
    ours: median(ours.map(({ wallMs }) => wallMs)),
    peer: median(peer.map(({ wallMs }) => wallMs)),
    cpu: {
      oursMs: median(ours.map(({ cpuMs }) => cpuMs)),
      peerMs: median(peer.map(({ cpuMs }) => cpuMs)),
    },
    samples: ours.length,
    ...(target === undefined ? {} : { target }),
  }
}

/** Times one piece of work in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}
