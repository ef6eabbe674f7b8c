/**
 * A connected socket as ttrpc needs it, without Node's sockets and streams: those cost a shim more than a
 * megabyte (measured), and there is one shim per container.
 */
import { closeSync, readSync, writeSync } from 'node:fs'
import { native } from '../native/binding.ts'
import { errnoOf } from '../proto/errors/platform-error.ts'
import type { ByteChannel } from '../proto/ttrpc/byte-channel.ts'

/** Calls and answers are small; a larger one takes several turns. */
const READ_BYTES = 16 * 1024
/** A peer that stopped reading is rare, and looked after at leisure. */
const FIRST_RETRY_MS = 2
const LONGEST_RETRY_MS = 200

const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)

export class FdChannel implements ByteChannel {
  readonly #fd: number
  #onData: (chunk: Uint8Array) => void = () => undefined
  #onEnd: () => void = () => undefined
  #onError: (error: Error) => void = () => undefined
  readonly #onClose: (() => void)[] = []
  #isDestroyed = false
  #isClosed = false
  #isEnding = false
  #unsent: Uint8Array[] = []
  #unsentBytes = 0
  #retry: NodeJS.Timeout | undefined
  #onFinished: (() => void) | undefined

  /** Takes over the descriptor of a connected stream socket. */
  constructor(fd: number) {
    this.#fd = fd
    this.#watch()
  }

  get destroyed(): boolean {
    return this.#isDestroyed
  }

  get closed(): boolean {
    return this.#isClosed
  }

  get writable(): boolean {
    return !this.#isDestroyed && !this.#isEnding
  }

  get writableLength(): number {
    return this.#unsentBytes
  }

  on(event: 'data', listener: (chunk: Uint8Array) => void): void
  on(event: 'end', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  on(...[event, listener]: ChannelListener): void {
    switch (event) {
      case 'data':
        this.#onData = listener
        return
      case 'end':
        this.#onEnd = listener
        return
      case 'error':
        this.#onError = listener
        return
    }
  }

  once(_event: 'close', listener: () => void): void {
    this.#onClose.push(listener)
  }

  write(bytes: Uint8Array): void {
    if (!this.writable) return
    this.#unsent.push(bytes)
    this.#unsentBytes += bytes.byteLength
    if (this.#retry === undefined) this.#flush(FIRST_RETRY_MS)
  }

  end(onFinished: () => void): void {
    this.#isEnding = true
    if (this.#unsentBytes === 0 || this.#isDestroyed) queueMicrotask(onFinished)
    else this.#onFinished = onFinished
  }

  destroy(): void {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    clearTimeout(this.#retry)
    this.#unsent = []
    this.#unsentBytes = 0
    native().unwatchReadable(this.#fd)
    closeSync(this.#fd)
    // After the caller has finished what it is doing, as with Node's sockets.
    setImmediate(() => {
      this.#isClosed = true
      for (const listener of this.#onClose.splice(0)) listener()
    })
  }

  #watch(): void {
    native().watchReadable(this.#fd, () => {
      this.#read()
    })
  }

  #read(): void {
    if (this.#isDestroyed) return
    let readBytes: number
    try {
      readBytes = readSync(this.#fd, readBuffer)
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') this.#watch()
      else this.#fail(error)
      return
    }
    if (readBytes === 0) {
      this.#onEnd()
      return
    }
    this.#onData(Buffer.from(readBuffer.subarray(0, readBytes)))
    if (!this.destroyed) this.#watch()
  }

  #flush(retryMs: number): void {
    this.#retry = undefined
    try {
      for (let bytes = this.#unsent[0]; bytes !== undefined; bytes = this.#unsent[0]) {
        const written = writeSync(this.#fd, bytes)
        this.#unsentBytes -= written
        if (written === bytes.byteLength) this.#unsent.shift()
        else this.#unsent[0] = bytes.subarray(written)
      }
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') {
        this.#fail(error)
        return
      }
      this.#retry = setTimeout(() => {
        this.#flush(Math.min(retryMs * 2, LONGEST_RETRY_MS))
      }, retryMs)
      return
    }
    this.#onFinished?.()
  }

  #fail(error: unknown): void {
    this.#onError(error instanceof Error ? error : new Error(String(error)))
    this.destroy()
  }
}

type ChannelListener =
  ['data', (chunk: Uint8Array) => void] | ['end', () => void] | ['error', (error: Error) => void]
