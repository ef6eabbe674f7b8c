/** Drives any program with runc's command line. */
import { closeSync, mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../../native/binding.ts'
import { PlatformError, errnoOf, wrapSystemError } from '../../proto/errors/platform-error.ts'
import {
  watchProcess,
  type DriverCreateOptions,
  type DriverExecOptions,
  type DriverState,
  type ProcessStdio,
  type RuntimeDriver,
  type WatchedProcess,
} from '../runtime-driver.ts'
import { ConsoleSocket } from './console-socket.ts'
import { runProgram } from './program-runner.ts'
import { failureOfRun } from './runtime-failure.ts'

export interface OciBinaryOptions {
  /** Absolute path of the program. */
  readonly program: string
  /** Its state root. */
  readonly root: string
  /** Where pid files and logs are put. */
  readonly bundle: string
  /** A short directory for console sockets, only ours. */
  readonly socketDirectory: string
  readonly systemdCgroup: boolean
  readonly noPivotRoot: boolean
  readonly noNewKeyring: boolean
}

interface Launch {
  readonly id: string
  readonly stdio: ProcessStdio
  readonly pidFile: string
}

let consoleSockets = 0
let runs = 0

export class OciBinaryDriver implements RuntimeDriver {
  readonly #options: OciBinaryOptions

  constructor(options: OciBinaryOptions) {
    this.#options = options
  }

  create({ id, bundle, stdio }: DriverCreateOptions): Promise<WatchedProcess> {
    const { noPivotRoot, noNewKeyring } = this.#options
    const flags = ['--bundle', bundle]
    if (noPivotRoot) flags.push('--no-pivot')
    if (noNewKeyring) flags.push('--no-new-keyring')
    return this.#launch('create', flags, { id, stdio, pidFile: join(bundle, 'init.pid') })
  }

  async exec({ id, execId, process, stdio }: DriverExecOptions): Promise<WatchedProcess> {
    const path = join(this.#options.bundle, `.exec-${execId}.json`)
    const pidFile = join(this.#options.bundle, `.exec-${execId}.pid`)
    writeFileSync(path, process, { mode: 0o600 })
    try {
      return await this.#launch('exec', ['--process', path, '--detach'], { id, stdio, pidFile })
    } finally {
      rmSync(path, { force: true })
      rmSync(pidFile, { force: true })
    }
  }

  async start(id: string): Promise<void> {
    await this.#run('start', [id])
  }

  async kill(id: string, signal: number, { all }: { readonly all: boolean }): Promise<void> {
    await this.#run('kill', [...(all ? ['--all'] : []), id, String(signal)])
  }

  async delete(id: string, { force }: { readonly force: boolean }): Promise<void> {
    try {
      await this.#run('delete', [...(force ? ['--force'] : []), id])
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'notFound') throw error
    }
  }

  async pause(id: string): Promise<void> {
    await this.#run('pause', [id])
  }

  async resume(id: string): Promise<void> {
    await this.#run('resume', [id])
  }

  async update(id: string, resources: string): Promise<void> {
    const path = join(this.#options.bundle, '.resources.json')
    writeFileSync(path, resources, { mode: 0o600 })
    try {
      await this.#run('update', ['--resources', path, id])
    } finally {
      rmSync(path, { force: true })
    }
  }

  async pids(id: string): Promise<readonly number[]> {
    const output = await this.#run('ps', ['--format', 'json', id])
    const pids = parseJson(output, 'ps')
    // Go prints an empty list as null.
    if (pids === null) return []
    if (Array.isArray(pids) && pids.every((pid) => typeof pid === 'number')) return pids
    throw new PlatformError('internal', {
      action: 'read what the runtime lists',
      found: output.trim(),
      wanted: 'a JSON array of pids',
    })
  }

  async state(id: string): Promise<DriverState | undefined> {
    try {
      const state = parseJson(await this.#run('state', [id]), 'state')
      const pid = typeof state === 'object' && state !== null && 'pid' in state ? state.pid : 0
      return { initPid: typeof pid === 'number' ? pid : 0 }
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'notFound') return undefined
      throw error
    }
  }

  async #launch(
    verb: 'create' | 'exec',
    flags: readonly string[],
    { id, stdio, pidFile }: Launch,
  ): Promise<WatchedProcess> {
    // The process is orphaned when the program ends, and may be over before its pid has been read.
    native().holdOrphans()
    try {
      if (stdio.kind === 'descriptors') {
        const fds = [stdio.stdin, stdio.stdout, stdio.stderr] as const
        await this.#run(verb, [...flags, '--pid-file', pidFile, id], fds)
        return watchPid(readPid(pidFile))
      }
      using console = new ConsoleSocket(this.#consoleSocketPath())
      await this.#run(verb, [...flags, '--pid-file', pidFile, '--console-socket', console.path, id])
      return watchPid(readPid(pidFile), await console.receive())
    } finally {
      native().releaseOrphans()
    }
  }

  #consoleSocketPath(): string {
    const { socketDirectory } = this.#options
    mkdirSync(socketDirectory, { recursive: true, mode: 0o700 })
    return join(socketDirectory, `c${String(process.pid)}-${String(consoleSockets++)}`)
  }

  /** @returns what the program printed */
  async #run(
    verb: string,
    args: readonly string[],
    fds?: readonly [number, number, number],
  ): Promise<string> {
    const { program, root, systemdCgroup, bundle } = this.#options
    const logPath = join(bundle, `.log-${String(runs++)}.json`)
    const globals = ['--root', root, '--log', logPath, '--log-format', 'json']
    if (systemdCgroup) globals.push('--systemd-cgroup')
    const { exit, output } = await runProgram({
      program,
      args: [...globals, verb, ...args],
      ...(fds === undefined ? {} : { fds }),
      scratchDirectory: bundle,
    })
    const log = takeFile(logPath)
    if (exit.kind === 'exited' && exit.exitCode === 0) return output
    throw failureOfRun({ verb, exit, output, log })
  }
}

function watchPid(pid: number, consoleFd?: number): WatchedProcess {
  try {
    const pidfd = native().pidfdOpen(pid)
    return watchProcess({ pid, pidfd, ...(consoleFd === undefined ? {} : { consoleFd }) })
  } catch (error) {
    if (consoleFd !== undefined) closeSync(consoleFd)
    throw wrapSystemError(error, { action: 'watch process', subject: String(pid) })
  }
}

function readPid(path: string): number {
  const text = readFileSync(path, 'utf8').trim()
  const pid = Number(text)
  if (Number.isInteger(pid) && pid > 0) return pid
  throw new PlatformError('internal', {
    action: 'read pid file',
    path,
    found: text,
    wanted: 'a pid',
  })
}

function takeFile(path: string): string {
  try {
    const text = readFileSync(path, 'utf8')
    unlinkSync(path)
    return text
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw wrapSystemError(error, { action: 'read the log of the runtime', path })
  }
}

function parseJson(text: string, verb: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    const facts = {
      action: `read the output of the runtime's ${verb}`,
      found: text.trim(),
      wanted: 'JSON',
    }
    throw new PlatformError('internal', facts, { cause })
  }
}
