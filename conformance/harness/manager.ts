/**
 * The manager under test: our berthd, or Debian's containerd with MANAGER=containerd. Each runs on
 * private root, state and socket; ctr talks to either.
 */
import { existsSync, writeFileSync } from 'node:fs'

import { type Result, RunningProgram, type StartOptions, run, runOk } from './process.ts'
import { programs } from './programs.ts'
import { until } from './until.ts'
import type { Workspace } from './workspace.ts'

export type ManagerKind = 'berthd' | 'containerd'

/** The manager that MANAGER names; ours without it. */
export function managerUnderTest(): ManagerKind {
  const name = process.env['MANAGER'] ?? 'berthd'
  if (name === 'berthd' || name === 'containerd') return name
  throw new Error(`MANAGER: found ${name}, want berthd or containerd`)
}

export interface ManagerDirs {
  readonly root: string
  readonly state: string
}

/** A manager and the means to talk to it; `stop` and `restart` keep root and state. */
export class Manager implements AsyncDisposable {
  readonly kind: ManagerKind
  readonly address: string
  readonly dirs: ManagerDirs
  readonly #workspace: Workspace
  readonly #args: readonly string[]
  #program: RunningProgram | undefined

  constructor(workspace: Workspace, kind: ManagerKind, dirs?: ManagerDirs) {
    this.#workspace = workspace
    this.kind = kind
    this.dirs = dirs ?? {
      root: workspace.makeDir(`${kind}-root`),
      state: workspace.makeDir(`${kind}-state`),
    }
    this.address = workspace.path(`${kind}.sock`)
    this.#args =
      kind === 'berthd'
        ? ['--root', this.dirs.root, '--state', this.dirs.state, '--address', this.address]
        : ['--config', writeContainerdConfig(workspace, this.address, this.dirs)]
  }

  get executable(): string {
    return this.kind === 'berthd' ? programs.berthd : programs.containerd
  }

  /** The running daemon. @throws Error when it does not run. */
  get program(): RunningProgram {
    if (this.#program === undefined) throw new Error(`${this.kind} is not running`)
    return this.#program
  }

  /** A second daemon with the same arguments, for the test that it refuses. */
  startAnother(): RunningProgram {
    return this.#workspace.start(this.executable, this.#args)
  }

  async start(): Promise<void> {
    const program = new RunningProgram(this.executable, this.#args, { env: this.#workspace.env })
    this.#program = program
    await until(`${this.kind} to answer on ${this.address}`, async () => {
      if (program.exitCode !== undefined)
        throw new Error(`${this.kind} ended with ${String(program.exitCode)}: ${program.stderr()}`)
      return existsSync(this.address) && (await this.ctr(['version'])).exitCode === 0
    })
  }

  /** Ends the daemon like a service manager does; returns its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    const program = this.program
    this.#program = undefined
    program.kill(signal)
    const { exitCode } = await program.wait(20_000)
    await program[Symbol.asyncDispose]()
    return exitCode
  }

  /** Debian's ctr against this manager, whatever its exit code. */
  ctr(args: readonly string[], options: StartOptions = {}): Promise<Result> {
    return run(programs.ctr, this.#ctrArgs(args), { env: this.#workspace.env, ...options })
  }

  /** The same, which has to succeed. */
  ctrOk(args: readonly string[], options: StartOptions = {}): Promise<Result> {
    return runOk(programs.ctr, this.#ctrArgs(args), { env: this.#workspace.env, ...options })
  }

  /** The same, left running. */
  ctrStart(args: readonly string[], options: StartOptions = {}): RunningProgram {
    return this.#workspace.start(programs.ctr, this.#ctrArgs(args), options)
  }

  ctrCommand(args: readonly string[]): readonly [string, readonly string[]] {
    return [programs.ctr, this.#ctrArgs(args)]
  }

  /** The ids that `ctr task ls` shows, with their state. */
  async tasks(): Promise<ReadonlyMap<string, string>> {
    const { stdout } = await this.ctrOk(['task', 'ls'])
    return new Map(rows(stdout).map(([id = '', , status = '']): [string, string] => [id, status]))
  }

  async containers(): Promise<readonly string[]> {
    const { stdout } = await this.ctrOk(['container', 'ls', '-q'])
    return stdout.split('\n').filter((line) => line !== '')
  }

  /** Kills and removes everything of a test whose ids start with this. */
  async removeContainers(prefix: string): Promise<void> {
    for (const id of (await this.tasks()).keys())
      if (id.startsWith(prefix)) await this.ctr(['task', 'rm', '--force', id])
    for (const id of await this.containers())
      if (id.startsWith(prefix)) await this.ctr(['container', 'rm', id])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#program === undefined) return
    await this.stop()
  }

  #ctrArgs(args: readonly string[]): readonly string[] {
    return ['--address', this.address, '--connect-timeout', '5s', ...args]
  }
}

/** The words of each line below the heading of a table. */
export function rows(table: string): readonly (readonly string[])[] {
  return table
    .split('\n')
    .slice(1)
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/))
}

function writeContainerdConfig(workspace: Workspace, address: string, dirs: ManagerDirs): string {
  const path = workspace.path('containerd.toml')
  writeFileSync(
    path,
    `version = 2
root = "${dirs.root}"
state = "${dirs.state}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${address}"
`,
  )
  return path
}
