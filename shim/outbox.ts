/**
 * Events on their way out: numbered, in a file until the daemon has acknowledged them, so that neither a
 * daemon that is away nor the end of this process loses one (DESIGN 8).
 *
 * `events.log` holds records of: u32 payload length, u64 sequence (both big endian), payload. `events.acked`
 * holds the highest acknowledged sequence. A record is one write, so a process killed in between leaves at
 * most one short record at the end, which nobody was told about; a power cut ends the containers too, so
 * nothing is synced here: the exit record is.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { wrapSystemError } from '../proto/errors/platform-error.ts'

export interface OutboxEntry {
  readonly sequence: bigint
  readonly payload: Buffer
}

const HEADER_BYTES = 12
const ACK_BYTES = 8
/** Once everything is acknowledged, a log beyond this is emptied. */
const COMPACT_BYTES = 256 * 1024

export class Outbox {
  readonly #logFd: number
  readonly #ackFd: number
  /** Where the first record that is not acknowledged begins. */
  #readOffset = 0
  #endOffset = 0
  #lastSequence = 0n
  #ackedSequence = 0n

  private constructor(logFd: number, ackFd: number) {
    this.#logFd = logFd
    this.#ackFd = ackFd
  }

  /** Opens the outbox of a bundle and finds what an earlier process left undelivered. */
  static open(directory: string): Outbox {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
    const path = join(directory, 'events.log')
    try {
      const outbox = new Outbox(
        openSync(path, flags, 0o600),
        openSync(join(directory, 'events.acked'), flags, 0o600),
      )
      outbox.#recover()
      return outbox
    } catch (error) {
      throw wrapSystemError(error, { action: 'open the event outbox', path })
    }
  }

  get isEmpty(): boolean {
    return this.#readOffset === this.#endOffset
  }

  /** @returns the event's sequence number: one more than the last one's, across restarts */
  append(payload: Uint8Array): bigint {
    const sequence = this.#lastSequence + 1n
    const record = Buffer.allocUnsafe(HEADER_BYTES + payload.byteLength)
    record.writeUInt32BE(payload.byteLength, 0)
    record.writeBigUInt64BE(sequence, 4)
    record.set(payload, HEADER_BYTES)
    try {
      const written = writeSync(this.#logFd, record, 0, record.byteLength, this.#endOffset)
      if (written !== record.byteLength)
        throw Object.assign(new Error('short write'), { code: 'ENOSPC' })
    } catch (error) {
      throw wrapSystemError(error, { action: 'keep event', subject: String(sequence) })
    }
    this.#endOffset += record.byteLength
    this.#lastSequence = sequence
    return sequence
  }

  /** The oldest event that is not acknowledged. */
  peek(): OutboxEntry | undefined {
    return this.#readRecord(this.#readOffset)
  }

  /** Forgets the oldest event. It must be the one `peek` returned. */
  acknowledge({ sequence, payload }: OutboxEntry): void {
    const bytes = Buffer.allocUnsafe(ACK_BYTES)
    bytes.writeBigUInt64BE(sequence)
    writeSync(this.#ackFd, bytes, 0, ACK_BYTES, 0)
    this.#ackedSequence = sequence
    this.#readOffset += HEADER_BYTES + payload.byteLength
    if (this.isEmpty && this.#endOffset > COMPACT_BYTES) {
      ftruncateSync(this.#logFd, 0)
      this.#readOffset = 0
      this.#endOffset = 0
    }
  }

  close(): void {
    closeSync(this.#logFd)
    closeSync(this.#ackFd)
  }

  #recover(): void {
    const bytes = Buffer.alloc(ACK_BYTES)
    if (readSync(this.#ackFd, bytes, 0, ACK_BYTES, 0) === ACK_BYTES) {
      this.#ackedSequence = bytes.readBigUInt64BE()
    }
    this.#lastSequence = this.#ackedSequence
    this.#endOffset = fstatSync(this.#logFd).size
    let offset = 0
    for (;;) {
      const entry = this.#readRecord(offset)
      if (entry === undefined) break
      offset += HEADER_BYTES + entry.payload.byteLength
      if (entry.sequence <= this.#ackedSequence) this.#readOffset = offset
      else this.#lastSequence = entry.sequence
    }
    // What is left is a record that was being written when the process ended.
    if (offset < this.#endOffset) ftruncateSync(this.#logFd, offset)
    this.#endOffset = offset
  }

  #readRecord(offset: number): OutboxEntry | undefined {
    if (offset + HEADER_BYTES > this.#endOffset) return undefined
    const header = Buffer.alloc(HEADER_BYTES)
    readSync(this.#logFd, header, 0, HEADER_BYTES, offset)
    const lengthBytes = header.readUInt32BE(0)
    if (offset + HEADER_BYTES + lengthBytes > this.#endOffset) return undefined
    const payload = Buffer.alloc(lengthBytes)
    readSync(this.#logFd, payload, 0, lengthBytes, offset + HEADER_BYTES)
    return { sequence: header.readBigUInt64BE(4), payload }
  }
}
