/** Carries bytes between our own terminal (or what stands for it) and that of a container. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { native } from '../../native/binding.ts'
import { errnoOf } from '../../proto/errors/platform-error.ts'

const STDIN = 0
const STDOUT = 1

export class TerminalRelay {
  readonly #consoleFd: number
  readonly #input: number
  readonly #output: number
  readonly #outputEnded: Promise<void>
  readonly #savedMode: Buffer | undefined
  readonly #resize = (): void => {
    native().setTerminalSize(this.#consoleFd, native().getTerminalSize(STDIN))
  }

  /** @param consoleFd the container's terminal; owned by the relay from now on */
  constructor(consoleFd: number) {
    this.#consoleFd = consoleFd
    if (isTerminal(STDIN)) {
      this.#savedMode = native().setRawMode(STDIN)
      this.#resize()
      process.on('SIGWINCH', this.#resize)
    }
    this.#input = native().startPump({
      source: ownDescriptor(STDIN, constants.O_RDONLY),
      sink: native().dupCloexec(consoleFd),
      // Our input may end before the container does.
      onEnd: () => undefined,
    })
    let onOutputEnd = (): void => undefined
    this.#outputEnded = new Promise((resolve) => {
      onOutputEnd = resolve
    })
    this.#output = native().startPump({
      source: native().dupCloexec(consoleFd),
      sink: ownDescriptor(STDOUT, constants.O_WRONLY),
      onEnd: () => {
        onOutputEnd()
      },
    })
  }

  /** What has been written so far still arrives; then our terminal is as it was. */
  async close(): Promise<void> {
    process.off('SIGWINCH', this.#resize)
    native().stopPump(this.#output)
    await this.#outputEnded
    native().stopPump(this.#input)
    // Twice: what the container did not read is of no more use.
    native().stopPump(this.#input)
    if (this.#savedMode !== undefined) native().restoreMode(STDIN, this.#savedMode)
    closeSync(this.#consoleFd)
  }
}

/**
 * Our stdin or stdout as an open file of our own where that can be had: the pump makes it non-blocking,
 * and the shell that started us uses the same one. A regular file is shared for its position.
 */
function ownDescriptor(fd: number, access: number): number {
  const status = fstatSync(fd)
  const canReopen = isTerminal(fd) || status.isFIFO()
  return canReopen
    ? openSync(`/proc/self/fd/${fd}`, access | constants.O_NOCTTY)
    : native().dupCloexec(fd)
}

/** isatty(3); `node:tty` would load the engine's stream classes. */
function isTerminal(fd: number): boolean {
  try {
    native().getTerminalSize(fd)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOTTY') return false
    throw error
  }
}
