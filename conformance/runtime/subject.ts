/**
 * The runtime under test: ours, or the one RUNTIME names. A test gets a private --root and bundles made
 * from the runtime's own `spec` command.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'

import { helper } from '../harness/helpers.ts'
import {
  type Result,
  type RunningProgram,
  type StartOptions,
  run,
  runOk,
} from '../harness/process.ts'
import { needRoot } from '../harness/needs.ts'
import { isExecutable, programs } from '../harness/programs.ts'
import { startOnTerminal, type TerminalOptions } from '../harness/terminal.ts'
import { until } from '../harness/until.ts'
import { type Workspace, useWorkspace } from '../harness/workspace.ts'
import { type Facts, parseFacts } from './facts.ts'
import type { Spec, StateDocument } from './spec-config.ts'

export const runtimePath = process.env['RUNTIME'] ?? programs.runtime

/** `runc`, `crun`, `berth-runtime`: tests name a peer's known weaknesses with it. */
export const runtimeName = basename(runtimePath)

export const isOurs = runtimeName === 'berth-runtime'

/** Edits a default configuration in place. */
export type Change = (spec: Spec) => void

export interface Bundle {
  readonly dir: string
  readonly rootfs: string
}

export class RuntimeSubject {
  readonly workspace: Workspace
  readonly root: string

  constructor(workspace: Workspace) {
    this.workspace = workspace
    this.root = workspace.path('runtime')
  }

  args(args: readonly string[]): readonly string[] {
    return ['--root', this.root, ...args]
  }

  run(args: readonly string[], options: StartOptions = {}): Promise<Result> {
    return run(runtimePath, this.args(args), { env: this.workspace.env, ...options })
  }

  runOk(args: readonly string[], options: StartOptions = {}): Promise<Result> {
    return runOk(runtimePath, this.args(args), { env: this.workspace.env, ...options })
  }

  start(args: readonly string[], options: StartOptions = {}): RunningProgram {
    return this.workspace.start(runtimePath, this.args(args), options)
  }

  startOnTerminal(args: readonly string[], options: TerminalOptions = {}): RunningProgram {
    return this.workspace.use(
      startOnTerminal(runtimePath, this.args(args), { env: this.workspace.env, ...options }),
    )
  }

  /** A bundle of the runtime's default configuration, without terminal, with the change applied. */
  async bundle(change: Change = () => undefined): Promise<Bundle> {
    const dir = this.workspace.makeDir(`bundle-${this.workspace.newId()}`)
    const rootfs = join(dir, 'rootfs')
    await makeRootfs(rootfs)
    await runOk(runtimePath, ['spec', '--bundle', dir])
    const file = join(dir, 'config.json')
    const spec = JSON.parse(readFileSync(file, 'utf8')) as Spec
    spec.process.terminal = false
    change(spec)
    writeFileSync(file, JSON.stringify(spec))
    return { dir, rootfs }
  }

  /** Runs a bundle of the default configuration with the change to its end. */
  async runBundle(change: Change, options: StartOptions = {}): Promise<Result> {
    const { dir } = await this.bundle(change)
    return await this.run(['run', '--bundle', dir, this.newId()], options)
  }

  /** What the report program sees in a container with the change; it also looks at the paths. */
  async facts(change: Change = () => undefined, paths: readonly string[] = []): Promise<Facts> {
    const { dir } = await this.bundle((spec) => {
      spec.process.args = ['/bin/report', 'facts', ...paths]
      change(spec)
    })
    const { stdout } = await this.runOk(['run', '--bundle', dir, this.newId()])
    return parseFacts(stdout)
  }

  /** A container whose program holds until it is signalled, in the state `created` or `running`. */
  async holding(change: Change = () => undefined, verbs: 'create' | 'run' = 'run'): Promise<Held> {
    const bundle = await this.bundle((spec) => {
      spec.process.args = ['/bin/report', 'hold']
      change(spec)
    })
    const id = this.newId()
    const args = verbs === 'create' ? ['create'] : ['run', '--detach']
    const program = this.start([...args, '--bundle', bundle.dir, id])
    const { exitCode, stderr } = await program.wait()
    if (exitCode !== 0)
      throw new Error(`${args.join(' ')} failed with ${String(exitCode)}: ${stderr}`)
    if (verbs === 'run')
      await until('the program to be ready', () => program.stdout().includes('ready'))
    return { id, bundle, program }
  }

  /** An id whose container is force-deleted at the end of the test. */
  newId(): string {
    const id = this.workspace.newId()
    this.workspace.defer(async () => {
      if (existsSync(join(this.root, id))) await this.run(['delete', '--force', id])
    })
    return id
  }

  async state(id: string): Promise<StateDocument> {
    const { stdout } = await this.runOk(['state', id])
    return JSON.parse(stdout) as StateDocument
  }

  async untilStatus(id: string, status: string): Promise<StateDocument> {
    return await until(`${id} to be ${status}`, async () => {
      const state = await this.state(id)
      return state.status === status ? state : undefined
    })
  }

  /** The entries below --root: what the runtime still remembers. */
  remembered(): readonly string[] {
    return existsSync(this.root) ? readdirSync(this.root) : []
  }
}

export interface Held {
  readonly id: string
  readonly bundle: Bundle
  /** The runtime's command, which has ended; its outputs are the container's. */
  readonly program: RunningProgram
}

/** A root file system of the report program and busybox. */
export async function makeRootfs(rootfs: string): Promise<void> {
  for (const name of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp'])
    mkdirSync(join(rootfs, name), { recursive: true })
  copyFileSync(await helper('report'), join(rootfs, 'bin', 'report'))
  copyFileSync(programs.busybox, join(rootfs, 'bin', 'busybox'))
  for (const name of [
    'sh',
    'cat',
    'echo',
    'sleep',
    'id',
    'ls',
    'stty',
    'true',
    'kill',
    'mount',
    'dd',
    'mkdir',
  ])
    symlinkSync('busybox', join(rootfs, 'bin', name))
}

/** A change that runs a shell command. */
export function shell(command: string): Change {
  return (spec) => {
    spec.process.args = ['/bin/sh', '-c', command]
  }
}

/** A `describe` whose tests each have a runtime with a private root in a workspace of their own. */
export function describeRuntime(
  anchor: string,
  tests: (subject: () => RuntimeSubject) => void,
): void {
  describe(`${anchor} [${runtimeName}]`, function () {
    this.timeout(90_000)
    before('the runtime and the helper programs are there', async function () {
      this.timeout(240_000)
      needRoot()
      if (!isExecutable(runtimePath))
        throw new Error(`${runtimePath} is not there: build it first, or set RUNTIME`)
      await Promise.all([helper('report'), helper('console')])
    })
    const workspace = useWorkspace()
    tests(() => new RuntimeSubject(workspace()))
  })
}
