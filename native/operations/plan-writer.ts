/** Writes the fields of a plan: little endian, strings with a length and a final NUL. Its reader is `native/init/plan-reader.h`. */
import { PlatformError } from '../../proto/errors/platform-error.ts'

/** First word of a plan: "BPL" and the version of the layout. */
const PLAN_MAGIC = 0x014c5042

/** A plan is bounded so that init can map it without asking (rule R7). */
const PLAN_LIMIT_BYTES = 16 * 1024 * 1024

/** Enough for most plans. */
const INITIAL_BYTES = 16 * 1024

export class PlanWriter {
  #buffer = Buffer.alloc(INITIAL_BYTES)
  #length = 0

  constructor(operationCount: number) {
    this.u32(PLAN_MAGIC)
    this.u32(operationCount)
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#buffer.writeUInt32LE(value, this.#length)
    this.#length += 4
  }

  i32(value: number): void {
    this.#reserve(4)
    this.#buffer.writeInt32LE(value, this.#length)
    this.#length += 4
  }

  u64(value: bigint): void {
    this.#reserve(8)
    this.#buffer.writeBigUInt64LE(value, this.#length)
    this.#length += 8
  }

  flag(value: boolean): void {
    this.u32(value ? 1 : 0)
  }

  descriptor(index: number): void {
    this.u32(index)
  }

  bytes(value: Uint8Array): void {
    this.u32(value.byteLength)
    this.#reserve(value.byteLength)
    this.#buffer.set(value, this.#length)
    this.#length += value.byteLength
  }

  /** @throws invalidArgument for a NUL inside the text: init would silently see a shorter string */
  string(value: string): void {
    if (value.includes('\0')) {
      throw new PlatformError('invalidArgument', {
        action: 'encode plan',
        found: `a NUL byte in ${JSON.stringify(value)}`,
        wanted: 'text without NUL',
      })
    }
    // UTF-8 takes at most three bytes for a unit of UTF-16.
    this.#reserve(4 + value.length * 3 + 1)
    const start = this.#length + 4
    const size = this.#buffer.write(value, start)
    this.u32(size)
    this.#length = start + size
    this.#buffer[this.#length] = 0
    this.#length += 1
  }

  strings(values: readonly string[]): void {
    this.u32(values.length)
    for (const value of values) this.string(value)
  }

  u32s(values: readonly number[]): void {
    this.u32(values.length)
    for (const value of values) this.u32(value)
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed > PLAN_LIMIT_BYTES) {
      throw new PlatformError('resourceExhausted', {
        action: 'encode plan',
        found: `${String(needed)} bytes`,
        wanted: `at most ${String(PLAN_LIMIT_BYTES)} bytes`,
      })
    }
    if (needed <= this.#buffer.byteLength) return
    const grown = Buffer.alloc(Math.max(needed, this.#buffer.byteLength * 2))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
  }
}
