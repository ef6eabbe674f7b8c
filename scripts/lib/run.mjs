// @ts-check
import { spawn } from 'node:child_process'
import { ROOT } from './paths.mjs'

/**
 * A failure whose message is the whole story for the person at the terminal: it is printed without a
 * stack.
 */
export class PlainError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message)
    this.name = 'PlainError'
  }
}

/**
 * Runs a program to its end and returns what it printed, both streams in the order they came.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, input?: string }} [options]
 * @returns {Promise<string>}
 * @throws {PlainError} with the output when it does not exit with 0
 */
export async function run(program, args, options = {}) {
  const { exitCode, output } = await runAnyway(program, args, options)
  if (exitCode !== 0) {
    throw new PlainError(
      `${[program, ...args].join(' ')}: exit code ${String(exitCode)}\n${output.trimEnd()}`,
    )
  }
  return output
}

/**
 * Like `run`, but a non-zero exit is a result. One that a signal ended has the exit code 143.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, input?: string, visible?: boolean, timeoutMs?: number }} [options]
 *   visible: also print while it runs; timeoutMs: kill it then
 * @returns {Promise<{ exitCode: number, output: string }>}
 * @throws {PlainError} when it cannot be started
 */
export function runAnyway(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? ROOT,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    })
    /** @type {Buffer[]} */
    const chunks = []
    for (const [stream, ours] of /** @type {const} */ ([
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ])) {
      stream.on('data', (/** @type {Buffer} */ chunk) => {
        chunks.push(chunk)
        if (options.visible === true) ours.write(chunk)
      })
    }
    child.on('error', (error) => {
      reject(new PlainError(`cannot start ${program}: ${error.message}`))
    })
    child.on('close', (code) => {
      resolve({ exitCode: code ?? 143, output: Buffer.concat(chunks).toString() })
    })
    child.stdin.on('error', () => undefined) // it may end without reading its input
    child.stdin.end(options.input ?? '')
  })
}

/**
 * Runs a program on our own terminal.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>} its exit code
 */
export function runVisibly(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: options.env ?? process.env,
      stdio: 'inherit',
    })
    child.on('error', (error) => {
      reject(new PlainError(`cannot start ${program}: ${error.message}`))
    })
    child.on('close', (code) => {
      resolve(code ?? 143)
    })
  })
}

/**
 * The frame of every script: prints a failure as one sentence and sets the exit code.
 *
 * @param {() => Promise<number | void>} main
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0
  } catch (error) {
    const text =
      error instanceof PlainError
        ? error.message
        : error instanceof Error
          ? error.stack
          : String(error)
    process.stderr.write(`${text ?? ''}\n`)
    process.exitCode = 1
  }
}
