/** Running the shim binary: `start` and `delete`. @see containerd-behaviour.md §i (Start, Delete) */
import { spawn } from 'node:child_process'
import { Any } from '../../proto/generated/google/protobuf/any.ts'
import { DeleteResponse } from '../../proto/generated/containerd/runtime/task/v2/shim.ts'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { parseBootstrapAnswer, type ShimEndpoint } from './bootstrap.ts'
import type { Bundle } from './bundle.ts'

export interface ShimProgramOptions {
  /** Of the manager's gRPC socket; its ttrpc socket is the same with `.ttrpc`. */
  readonly address: string
  /** What a shim of the old kind would run to publish an event. */
  readonly publishBinary: string
  readonly isDebug: boolean
  /** PATH of the shim, and so of the runtime it starts. */
  readonly path: string
}

/** A shim's answer is some hundred bytes; what a broken one prints is kept up to here for the message. */
const MAX_OUTPUT_BYTES = 64 * 1024
const START_TIMEOUT_MS = 30_000
const DELETE_TIMEOUT_MS = 30_000

/**
 * Starts the shim of a bundle; it goes on in a session of its own when the manager ends.
 *
 * @throws what the shim said, when it failed
 */
export async function startShim(
  shimPath: string,
  bundle: Bundle,
  runtimeOptions: Any | undefined,
  options: ShimProgramOptions,
): Promise<ShimEndpoint> {
  // Shims up to 2.2 want the runtime options here, later ones BootstrapParams; those accept this too
  // as long as flags and environment are there.
  const stdin =
    runtimeOptions === undefined ? new Uint8Array() : Any.encode(runtimeOptions).finish()
  const args = [...commonArguments(bundle, options), 'start']
  const { stdout } = await runShim(
    'start',
    shimPath,
    args,
    stdin,
    bundle,
    options,
    START_TIMEOUT_MS,
  )
  return parseBootstrapAnswer(stdout)
}

/**
 * Cleans up what a shim left behind: kills and deletes the container, unmounts its rootfs.
 * The exit status in the answer is invented by shims that do not know it.
 */
export async function deleteWithShim(
  shimPath: string,
  bundle: Bundle,
  options: ShimProgramOptions,
): Promise<DeleteResponse> {
  const args = [...commonArguments(bundle, options), '-bundle', bundle.path, 'delete']
  const none = new Uint8Array()
  const { stdout } = await runShim(
    'delete',
    shimPath,
    args,
    none,
    bundle,
    options,
    DELETE_TIMEOUT_MS,
  )
  return DeleteResponse.decode(stdout)
}

function commonArguments(bundle: Bundle, options: ShimProgramOptions): readonly string[] {
  return [
    ...['-namespace', bundle.namespace],
    ...['-address', options.address],
    ...['-publish-binary', options.publishBinary],
    ...['-id', bundle.id],
    ...(options.isDebug ? ['-debug'] : []),
  ]
}

async function runShim(
  verb: string,
  shimPath: string,
  args: readonly string[],
  stdin: Uint8Array,
  bundle: Bundle,
  options: ShimProgramOptions,
  timeoutMs: number,
): Promise<{ stdout: Buffer }> {
  const action = `${verb} the shim of`
  const child = spawn(shimPath, args, {
    cwd: bundle.path,
    // Nothing of our environment is inherited: it configures runtimes and language engines.
    env: {
      PATH: options.path,
      TTRPC_ADDRESS: `${options.address}.ttrpc`,
      GRPC_ADDRESS: options.address,
      NAMESPACE: bundle.namespace,
      MAX_SHIM_VERSION: '2',
      GOMAXPROCS: '2',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  const timeUp = new AbortController()
  const timer = setTimeout(() => {
    timeUp.abort()
    child.kill('SIGKILL')
  }, timeoutMs)
  try {
    // 'exit', not 'close': the shim that goes on may have inherited the pipes.
    const exited = new Promise<{ code: number | null; signal: string | null }>(
      (resolve, reject) => {
        child.once('error', reject)
        child.once('exit', (code, signal) => {
          resolve({ code, signal })
        })
      },
    )
    child.stdin.on('error', () => {
      // A shim that does not read its stdin; what it answers decides.
    })
    child.stdin.end(stdin)
    const { code, signal } = await exited
    await Promise.race([Promise.all([stdout.ended, stderr.ended]), afterMs(200)])
    if (code === 0) return { stdout: stdout.bytes() }
    const said = [stderr.bytes(), stdout.bytes()].map((part) => part.toString('utf8').trim())
    const ending = code === null ? `signal ${String(signal)}` : `exit code ${String(code)}`
    throw new PlatformError(timeUp.signal.aborted ? 'deadlineExceeded' : 'unknown', {
      action,
      subject: bundle.id,
      path: shimPath,
      found: [
        timeUp.signal.aborted ? `no answer after ${String(timeoutMs)} ms` : ending,
        ...said.filter((part) => part !== ''),
      ].join(': '),
    })
  } catch (error) {
    throw wrapSystemError(error, { action, subject: bundle.id, path: shimPath })
  } finally {
    clearTimeout(timer)
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

interface Collected {
  readonly ended: Promise<void>
  bytes(): Buffer
}

function collect(stream: NodeJS.ReadableStream): Collected {
  const chunks: Buffer[] = []
  let heldBytes = 0
  stream.on('data', (chunk: Buffer) => {
    if (heldBytes >= MAX_OUTPUT_BYTES) return
    chunks.push(chunk)
    heldBytes += chunk.byteLength
  })
  const ended = new Promise<void>((resolve) => {
    stream.once('end', resolve)
    stream.once('close', resolve)
    stream.once('error', () => {
      resolve()
    })
  })
  return { ended, bytes: () => Buffer.concat(chunks).subarray(0, MAX_OUTPUT_BYTES) }
}

function afterMs(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs).unref())
}
