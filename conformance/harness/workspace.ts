/**
 * A private place per test: a directory and a token that marks everything the test makes. Disposal
 * runs what was deferred in reverse, removes the directory, and fails the test if anything is left.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { findLeaks } from './leaks.ts'
import { RunningProgram, type StartOptions } from './process.ts'
import { until } from './until.ts'

const BASE_DIR = process.env['BERTH_TEST_WORK'] ?? '/tmp/berth-conformance'

/** Processes that were told to end may take this long until the kernel shows no trace of them. */
const SETTLE_MS = 5_000

export class Workspace implements AsyncDisposable {
  /** Marks everything of this test; short, as it becomes part of socket paths and container ids. */
  readonly token: string
  readonly dir: string
  /** TMPDIR of everything started through `env`; has to be empty at the end. */
  readonly tmpDir: string
  readonly #deferred: (() => PromiseLike<void> | void)[] = []
  #count = 0

  constructor() {
    this.token = `bt${randomBytes(4).toString('hex')}`
    this.dir = join(BASE_DIR, this.token)
    this.tmpDir = join(this.dir, 'tmp')
    mkdirSync(this.tmpDir, { recursive: true })
  }

  path(...parts: readonly string[]): string {
    return join(this.dir, ...parts)
  }

  /** A directory that exists. */
  makeDir(name: string): string {
    const dir = this.path(name)
    mkdirSync(dir, { recursive: true })
    return dir
  }

  /** An id for a container that nobody else uses and that the leak probe knows. */
  newId(): string {
    this.#count += 1
    return `${this.token}-${String(this.#count)}`
  }

  /** Our environment, marked with the token and with a private TMPDIR. */
  get env(): NodeJS.ProcessEnv {
    return { ...process.env, TMPDIR: this.tmpDir, BERTH_TEST_TOKEN: this.token }
  }

  /** Runs at the end, the last deferred first. */
  defer(work: () => PromiseLike<void> | void): void {
    this.#deferred.push(work)
  }

  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(() => resource[Symbol.asyncDispose]())
    return resource
  }

  /** Starts a program that ends with the test at the latest. */
  start(file: string, args: readonly string[], options: StartOptions = {}): RunningProgram {
    return this.use(new RunningProgram(file, args, { env: this.env, ...options }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = []
    for (let work = this.#deferred.pop(); work !== undefined; work = this.#deferred.pop()) {
      try {
        await work()
      } catch (failure) {
        failures.push(failure)
      }
    }
    let leaks: readonly string[] = []
    await until('no leaks', () => (leaks = findLeaks(this.token)).length === 0, SETTLE_MS).catch(
      () => undefined,
    )
    const forgotten = readdirSync(this.tmpDir).map(
      (name) => `temporary file ${join(this.tmpDir, name)}`,
    )
    // A leaked mount below the directory must not be emptied through: the directory is then kept.
    if (!leaks.some((leak) => leak.startsWith('mount')))
      rmSync(this.dir, { recursive: true, force: true })
    const all = [...leaks, ...forgotten]
    if (all.length > 0) failures.push(new Error(`the test left behind:\n  ${all.join('\n  ')}`))
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1)
      throw new AggregateError(failures, failures.map((failure) => String(failure)).join('\n'))
  }
}

/** Gives every test of the enclosing `describe` a workspace and checks at its end that nothing is left. */
export function useWorkspace(): () => Workspace {
  let current: Workspace | undefined
  beforeEach('workspace', () => {
    current = new Workspace()
  })
  afterEach('nothing is left behind', async () => {
    const ended = current
    current = undefined
    await ended?.[Symbol.asyncDispose]()
  })
  return () => {
    if (current === undefined) throw new Error('a workspace exists only inside a test')
    return current
  }
}
