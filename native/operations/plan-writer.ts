/** Writes the fields of a plan: little endian, strings with a length and a final NUL. Its reader is `native/init/plan-reader.h`. */
import { PlatformError } from '../../proto/errors/platform-error.ts'

/** First word of a plan: "BPL" and the version of the layout. */
const PLAN_MAGIC = 0x014c5042

/** A plan is bounded so that init can map it without asking (rule R7). */
const PLAN_LIMIT_BYTES = 16 * 1024 * 1024

const encoder = new TextEncoder()

export class PlanWriter {
  #buffer = new Uint8Array(16 * 1024)
  #view = new DataView(this.#buffer.buffer)
  #length = 0

  constructor(operationCount: number) {
    this.u32(PLAN_MAGIC)
    this.u32(operationCount)
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.#length, value, true)
    this.#length += 4
  }

  i32(value: number): void {
    this.#reserve(4)
    this.#view.setInt32(this.#length, value, true)
    this.#length += 4
  }

  u64(value: bigint): void {
    this.#reserve(8)
    this.#view.setBigUint64(this.#length, value, true)
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
    const utf8 = encoder.encode(value)
    this.u32(utf8.byteLength)
    this.#reserve(utf8.byteLength + 1)
    this.#buffer.set(utf8, this.#length)
    this.#length += utf8.byteLength
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
    const grown = new Uint8Array(Math.max(needed, this.#buffer.byteLength * 2))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
    this.#view = new DataView(grown.buffer)
  }
}
