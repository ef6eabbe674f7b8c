/** Our own runtime, as a library in this process: no program to execute, no output to parse. */
import { join } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import * as runtime from '../../runtime/index.ts'
import type { Log } from '../log.ts'
import {
  watchProcess,
  type DriverCreateOptions,
  type DriverExecOptions,
  type DriverState,
  type RuntimeDriver,
  type WatchedProcess,
} from '../runtime-driver.ts'

export interface InProcessOptions {
  /** The runtime's state root. */
  readonly root: string
  readonly noPivotRoot: boolean
  readonly noNewKeyring: boolean
  readonly log: Log
}

export class InProcessDriver implements RuntimeDriver {
  readonly #options: InProcessOptions

  constructor(options: InProcessOptions) {
    this.#options = options
    runtime.onRuntimeWarning((warning) => {
      options.log.write('warning', warning)
    })
  }

  async create({ id, bundle, stdio }: DriverCreateOptions): Promise<WatchedProcess> {
    const { noPivotRoot, noNewKeyring } = this.#options
    return watchProcess(
      await runtime.create({
        ...this.#container(id),
        bundle: runtime.openBundle(bundle),
        stdio,
        pidFile: join(bundle, 'init.pid'),
        noPivot: noPivotRoot,
        noNewKeyring,
      }),
    )
  }

  start(id: string): Promise<void> {
    return runtime.start(this.#container(id))
  }

  async exec({ id, process, stdio }: DriverExecOptions): Promise<WatchedProcess> {
    const { value, warnings } = runtime.parseProcessDocument(process)
    this.#report(warnings)
    return watchProcess(await runtime.exec({ ...this.#container(id), process: value, stdio }))
  }

  kill(id: string, signal: number, options: { readonly all: boolean }): Promise<void> {
    return runtime.kill(this.#container(id), signal, options)
  }

  async delete(id: string, options: { readonly force: boolean }): Promise<void> {
    try {
      await runtime.deleteContainer(this.#container(id), options)
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'notFound') throw error
    }
  }

  pause(id: string): Promise<void> {
    return runtime.pause(this.#container(id))
  }

  resume(id: string): Promise<void> {
    return runtime.resume(this.#container(id))
  }

  update(id: string, resources: string): Promise<void> {
    const { value, warnings } = runtime.parseResourcesDocument(resources)
    this.#report(warnings)
    return runtime.update(this.#container(id), value)
  }

  pids(id: string): Promise<readonly number[]> {
    return runtime.pids(this.#container(id))
  }

  async state(id: string): Promise<DriverState | undefined> {
    try {
      return { initPid: (await runtime.state(this.#container(id))).pid }
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'notFound') return undefined
      throw error
    }
  }

  #container(id: string): runtime.ContainerReference {
    return { root: this.#options.root, id }
  }

  #report(warnings: readonly string[]): void {
    for (const warning of warnings) this.#options.log.write('warning', warning)
  }
}
