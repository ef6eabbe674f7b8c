/**
 * The standard streams of a container's process: FIFOs that berthctl makes, and the native pumps between
 * them and its own streams.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { wrapSystemError } from '../../proto/errors/platform-error.ts'
import { native } from '../../native/binding.ts'

export interface ProcessIoOptions {
  /** Our standard input is the process's. */
  readonly stdin: boolean
  /** One stream for both outputs: there is no stderr. */
  readonly terminal: boolean
}

/** Paths as they go into a request. */
export interface IoPaths {
  readonly stdin: string
  readonly stdout: string
  readonly stderr: string
  readonly terminal: boolean
}

export const NO_IO: IoPaths = { stdin: '', stdout: '', stderr: '', terminal: false }

interface Output {
  readonly fifoFd: number
  readonly target: number
}

interface RunningPump {
  readonly handle: number
  readonly ended: Promise<void>
}

export class ProcessIo {
  readonly paths: IoPaths
  readonly #directory: string
  readonly #outputs: readonly Output[]
  readonly #stdinFd: number | undefined
  #pumps: RunningPump[] = []
  #stdinPump: RunningPump | undefined

  private constructor(
    directory: string,
    paths: IoPaths,
    outputs: readonly Output[],
    stdinFd: number | undefined,
  ) {
    this.#directory = directory
    this.paths = paths
    this.#outputs = outputs
    this.#stdinFd = stdinFd
  }

  /** Makes the FIFOs in a directory that only we can enter, and opens our ends. */
  static async open({ stdin, terminal }: ProcessIoOptions): Promise<ProcessIo> {
    const directory = await mkdtemp(join(tmpdir(), 'berthctl-'))
    try {
      const make = (name: string): string => {
        const path = join(directory, name)
        native().mkfifo(path, 0o600)
        return path
      }
      const paths = {
        stdin: stdin ? make('stdin') : '',
        stdout: make('stdout'),
        stderr: terminal ? '' : make('stderr'),
        terminal,
      }
      const output = (path: string, target: number): Output => ({
        fifoFd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
        target,
      })
      const outputs = [output(paths.stdout, 1), ...(terminal ? [] : [output(paths.stderr, 2)])]
      // For writing alone it could not be opened before the shim reads.
      const stdinFd = stdin
        ? openSync(paths.stdin, constants.O_RDWR | constants.O_NONBLOCK)
        : undefined
      return new ProcessIo(directory, paths, outputs, stdinFd)
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      throw wrapSystemError(error, { action: 'make FIFOs', path: directory })
    }
  }

  /**
   * Starts moving bytes. Call it once the shim has the FIFOs.
   *
   * @param onStdinEnd called when our standard input has ended and all of it was passed on
   */
  start(onStdinEnd: () => void): void {
    this.#pumps = this.#outputs.map(({ fifoFd, target }) => startPump(fifoFd, ownStream(target)))
    if (this.#stdinFd === undefined) return
    this.#stdinPump = startPump(ownStream(0), this.#stdinFd)
    void this.#stdinPump.ended.then(onStdinEnd)
  }

  /** Waits for the outputs to end, as they do when the process and its children are gone. */
  async drain(timeoutMs: number): Promise<void> {
    const ended = Promise.all(this.#pumps.map((pump) => pump.ended))
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([ended, timeUp])
    clearTimeout(timer)
  }

  /** Passes on what is there, and removes the FIFOs. */
  async [Symbol.asyncDispose](): Promise<void> {
    const pumps = [...this.#pumps, ...(this.#stdinPump === undefined ? [] : [this.#stdinPump])]
    for (const { handle } of pumps) native().stopPump(handle)
    await Promise.all(pumps.map((pump) => pump.ended))
    if (this.#pumps.length === 0) {
      for (const { fifoFd } of this.#outputs) closeSync(fifoFd)
      if (this.#stdinFd !== undefined) closeSync(this.#stdinFd)
    }
    await rm(this.#directory, { recursive: true, force: true })
  }
}

function startPump(source: number, sink: number): RunningPump {
  let onEnd: () => void = () => undefined
  const ended = new Promise<void>((resolve) => (onEnd = resolve))
  const handle = native().startPump({
    source,
    sink,
    onEnd: () => {
      onEnd()
    },
  })
  return { handle, ended }
}

/**
 * A descriptor for one of our own streams that a pump may own and make non-blocking. Pipes and terminals are
 * opened anew: their flags are shared with the shell that started us. Files keep the shared offset.
 */
function ownStream(fd: number): number {
  const stat = fstatSync(fd)
  if (stat.isFIFO() || stat.isCharacterDevice()) {
    const access = fd === 0 ? constants.O_RDONLY : constants.O_WRONLY
    try {
      return openSync(
        `/proc/self/fd/${String(fd)}`,
        access | constants.O_NOCTTY | constants.O_NONBLOCK,
      )
    } catch {
      // Somebody else's terminal, after su: shared flags are better than no stream.
      return native().dupCloexec(fd)
    }
  }
  return native().dupCloexec(fd)
}
