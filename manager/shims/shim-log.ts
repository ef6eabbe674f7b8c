/**
 * A shim's log: it writes lines into the FIFO `log` of its bundle, and they go on into the manager's log.
 * @see containerd-behaviour.md §i (Long-running child)
 */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { errnoOf, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { native } from '../../native/binding.ts'
import type { Bundle } from './bundle.ts'
import type { Log } from './ports.ts'
import { reasonOf } from './reason.ts'

const READ_BYTES = 4096
/** A longer line is cut: a shim must not be able to fill the manager's memory. */
const MAX_LINE_CHARS = 8192
/** What shims say when all is well; anything else, a crash above all, is for people to see. */
const EVERYDAY = /\blevel=(?:trace|debug|info)\b|"level":"(?:trace|debug|info)"/

/** Reads a shim's log until the shim is gone; closed by whoever removes the bundle. */
export class ShimLog {
  readonly #fd: number
  readonly #bundle: Bundle
  readonly #log: Log
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES)
  #rest = ''
  #isOpen = true

  private constructor(fd: number, bundle: Bundle, log: Log) {
    this.#fd = fd
    this.#bundle = bundle
    this.#log = log
    this.#wait()
  }

  /** Opens the log's reading end, and makes the FIFO when there is none. */
  static open(bundle: Bundle, log: Log): ShimLog {
    const path = bundle.logPath
    try {
      native().mkfifo(path, 0o600)
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw wrapSystemError(error, { action: 'make FIFO', path })
    }
    try {
      // Without waiting for a writer, and never through a link.
      const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW
      return new ShimLog(openSync(path, flags), bundle, log)
    } catch (error) {
      throw wrapSystemError(error, { action: 'open the shim log', path })
    }
  }

  /** Also ends by itself when the last writer is gone. */
  close(): void {
    if (!this.#isOpen) return
    native().unwatchReadable(this.#fd)
    this.#end()
  }

  #wait(): void {
    native().watchReadable(this.#fd, () => {
      this.#read()
    })
  }

  #read(): void {
    if (!this.#isOpen) return
    try {
      const bytes = readSync(this.#fd, this.#buffer)
      if (bytes === 0) {
        this.#end()
        return
      }
      this.#take(this.#buffer.toString('utf8', 0, bytes))
      this.#wait()
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') {
        this.#wait()
        return
      }
      this.#log.warn(
        { container: this.#bundle.id, reason: reasonOf(error) },
        'the shim log cannot be read',
      )
      this.#end()
    }
  }

  #end(): void {
    this.#isOpen = false
    closeSync(this.#fd)
    if (this.#rest !== '') this.#take('\n')
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS)
    for (const line of lines) {
      if (line === '') continue
      const { namespace, id } = this.#bundle
      const facts = { namespace, container: id, shim: line.slice(0, MAX_LINE_CHARS) }
      if (EVERYDAY.test(line)) this.#log.debug(facts, 'shim')
      else this.#log.warn(facts, 'shim')
    }
  }
}
