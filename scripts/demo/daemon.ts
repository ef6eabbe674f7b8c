/** Starts the manager on a private root, state directory and socket. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'

const DIST = join(import.meta.dirname, '../../dist')

/** Which manager the journey goes through: ours, or Debian's containerd to compare with. */
export type ManagerKind = 'berthd' | 'containerd'

const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 10_000

export class Daemon implements AsyncDisposable {
  readonly address: string
  readonly stateDir: string
  readonly #child: ChildProcess
  readonly #logPath: string

  private constructor(child: ChildProcess, dir: string) {
    this.#child = child
    this.address = join(dir, 'manager.sock')
    this.stateDir = join(dir, 'state')
    this.#logPath = join(dir, 'log')
  }

  /** @param dir an empty directory of our own */
  static async start(kind: ManagerKind, dir: string): Promise<Daemon> {
    const log = openSync(join(dir, 'log'), 'a')
    const [program, args] = commandLine(kind, dir)
    const child = spawn(program, args, { cwd: '/', stdio: ['ignore', log, log] })
    closeSync(log)
    child.on('error', () => undefined) // shown by the missing socket, with the log
    const daemon = new Daemon(child, dir)
    await daemon.#untilListening()
    return daemon
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async #untilListening(): Promise<void> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS
    while (!existsSync(this.address)) {
      if (this.#child.exitCode !== null || performance.now() > deadlineMs) {
        throw new PlatformError('unavailable', {
          action: 'start the manager',
          found: readFileSync(this.#logPath, 'utf8').trim() || 'no socket and no word',
        })
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  /** Ends it and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await exited
    clearTimeout(impatience)
  }
}

function commandLine(kind: ManagerKind, dir: string): readonly [string, readonly string[]] {
  const places = ['--root', join(dir, 'root'), '--state', join(dir, 'state')]
  const address = ['--address', join(dir, 'manager.sock')]
  if (kind === 'berthd') return [join(DIST, 'berthd'), [...places, ...address]]
  const config = join(dir, 'config.toml')
  writeFileSync(config, 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
  return ['containerd', ['--config', config, ...places, ...address]]
}
