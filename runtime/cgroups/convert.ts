/** Values of the v1-shaped `resources` in the terms of cgroup v2. */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { MemoryResources } from '../spec/types.ts'

const SHARES_MIN = 2
const SHARES_MAX = 262_144
const WEIGHT_MAX = 10_000

/**
 * cpu.shares (2 to 262144, normally 1024) → cpu.weight (1 to 10000, normally 100).
 *
 * A parabola in the logarithm through (2, 1), (1024, 100) and (262144, 10000), as runc 1.4 and crun have
 * it: the older straight line gave the normal 1024 a weight of 39, less than its neighbours without limits.
 */
export function cpuWeightOfShares(shares: bigint): number {
  const clamped = Number(shares < BigInt(SHARES_MAX) ? shares : BigInt(SHARES_MAX))
  if (clamped <= SHARES_MIN) return 1
  const log = Math.log2(clamped)
  const exponent = (log * log + 125 * log) / 612 - 7 / 34
  // The three points of the curve are exact; rounding noise must not lift them.
  return Math.min(WEIGHT_MAX, Math.ceil(10 ** exponent - 1e-9))
}

/** blkio.weight (10 to 1000) → io.weight (1 to 10000). */
export function ioWeightOfBlkioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990)
}

/** Bytes as v2 writes them. */
export function bytesOrMax(bytes: bigint): string {
  return bytes < 0n ? 'max' : String(bytes)
}

/**
 * memory.swap.max, which counts swap alone. `undefined`: nothing to write.
 *
 * @throws invalidArgument when swap and limit contradict each other
 */
export function swapMaxOf({ limit, swap }: MemoryResources): string | undefined {
  if (swap === undefined || swap === 0n) return limit === -1n ? 'max' : undefined
  if (swap < 0n) return 'max'
  if (limit === undefined || limit <= 0n) {
    throw swapError(swap, 'a memory limit with it: cgroup v2 counts swap alone')
  }
  if (swap < limit) throw swapError(swap, `at least the memory limit ${limit}`)
  return String(swap - limit)
}

function swapError(swap: bigint, wanted: string): PlatformError {
  return new PlatformError('invalidArgument', {
    action: 'set cgroup limits',
    step: '/linux/resources/memory/swap',
    found: String(swap),
    wanted,
  })
}
