/**
 * Programs as black boxes: started, watched, ended. Output goes to unlinked files rather than pipes,
 * so a container that outlives the program which started it keeps nobody waiting for an end of file.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

import { PATIENCE_MS, until } from './until.ts'

export interface StartOptions {
  readonly cwd?: string
  /** Replaces the environment; without it the program gets ours. */
  readonly env?: NodeJS.ProcessEnv
  /** Written to standard input, which is then closed; without it standard input is /dev/null. */
  readonly input?: string | Buffer
  /** Keep standard input open as a pipe for `write`. */
  readonly keepInput?: boolean
  /** Further descriptors to pass on as 3, 4 … */
  readonly inherit?: readonly number[]
  /** How the outputs are decoded; latin1 keeps any bytes apart. */
  readonly encoding?: BufferEncoding
  /** A run that takes longer is killed and fails the test. */
  readonly timeoutMs?: number
}

export interface Result {
  readonly command: string
  /** The exit code as a shell reports it: 128 + n for a death by signal n. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const TIMEOUT_MS = 60_000

/** A running program; `close` ends it if it still runs and frees what we hold of it. */
export class RunningProgram implements AsyncDisposable {
  readonly command: string
  readonly pid: number
  readonly #child: ChildProcess
  readonly #outFd: number
  readonly #errFd: number
  readonly #ended: Promise<number>
  readonly #encoding: BufferEncoding
  #exitCode: number | undefined
  #closed = false

  constructor(file: string, args: readonly string[], options: StartOptions = {}) {
    this.command = [file, ...args].join(' ')
    this.#encoding = options.encoding ?? 'utf8'
    this.#outFd = openUnlinked()
    this.#errFd = openUnlinked()
    const piped = options.input !== undefined || options.keepInput === true
    this.#child = spawn(file, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env ?? process.env,
      stdio: [piped ? 'pipe' : 'ignore', this.#outFd, this.#errFd, ...(options.inherit ?? [])],
    })
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('exit', (code, signal) => {
        this.#exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
        resolve(this.#exitCode)
      })
    })
    // The failure to start is reported by whoever waits; nobody waiting is not an unhandled rejection.
    this.#ended.catch(() => undefined)
    this.pid = this.#child.pid ?? -1
    // A program that exits without reading its input breaks the pipe; that is its right.
    this.#child.stdin?.on('error', () => undefined)
    if (options.input !== undefined) this.#child.stdin?.end(options.input)
  }

  stdout(): string {
    return readAll(this.#outFd, this.#encoding)
  }

  stderr(): string {
    return readAll(this.#errFd, this.#encoding)
  }

  get exitCode(): number | undefined {
    return this.#exitCode
  }

  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  endInput(): void {
    this.#child.stdin?.end()
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal)
  }

  /** Waits for the end. @throws Error when it does not come in time; the program is killed then. */
  async wait(timeoutMs: number = TIMEOUT_MS): Promise<Result> {
    const timer = new Promise<'late'>((resolve) => {
      const handle = setTimeout(resolve, timeoutMs, 'late')
      void this.#ended
        .catch(() => undefined)
        .finally(() => {
          clearTimeout(handle)
        })
    })
    const outcome = await Promise.race([this.#ended, timer])
    const result = { command: this.command, stdout: this.stdout(), stderr: this.stderr() }
    if (outcome !== 'late') return { ...result, exitCode: outcome }
    this.kill()
    await this.#ended
    throw new Error(describe({ ...result, exitCode: -1 }, `not done after ${String(timeoutMs)} ms`))
  }

  /** Waits until standard output (or error) matches, and returns the match. */
  async saw(
    pattern: RegExp,
    from: 'stdout' | 'stderr' = 'stdout',
    patienceMs: number = PATIENCE_MS,
  ): Promise<RegExpExecArray> {
    const question = (): RegExpExecArray | undefined => {
      const text = from === 'stdout' ? this.stdout() : this.stderr()
      const match = pattern.exec(text)
      if (match !== null) return match
      if (this.#exitCode !== undefined)
        throw new Error(
          describe(
            {
              command: this.command,
              exitCode: this.#exitCode,
              stdout: this.stdout(),
              stderr: this.stderr(),
            },
            `ended before ${String(pattern)} appeared on ${from}`,
          ),
        )
      return undefined
    }
    return until(`${String(pattern)} on ${from} of ${this.command}`, question, patienceMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#exitCode === undefined && this.pid !== -1) {
      this.kill()
      await this.#ended
    }
    this.#child.stdin?.destroy()
    closeSync(this.#outFd)
    closeSync(this.#errFd)
  }
}

/** Runs a program to its end, whatever its exit code. */
export async function run(
  file: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Result> {
  await using program = new RunningProgram(file, args, options)
  return await program.wait(options.timeoutMs ?? TIMEOUT_MS)
}

/** Runs a program that has to succeed. @throws Error with both outputs when it does not. */
export async function runOk(
  file: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Result> {
  const result = await run(file, args, options)
  if (result.exitCode !== 0)
    throw new Error(describe(result, `exit code ${String(result.exitCode)}, want 0`))
  return result
}

export function describe(result: Result, problem: string): string {
  return `${result.command}: ${problem}\n--- stdout\n${result.stdout}\n--- stderr\n${result.stderr}`
}

function openUnlinked(): number {
  const path = join(tmpdir(), `berth-output-${randomUUID()}`)
  const fd = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  return fd
}

function readAll(fd: number, encoding: BufferEncoding): string {
  const size = fstatSync(fd).size
  const bytes = Buffer.alloc(size)
  let done = 0
  while (done < size) {
    const got = readSync(fd, bytes, done, size - done, done)
    if (got === 0) break
    done += got
  }
  return bytes.subarray(0, done).toString(encoding)
}
