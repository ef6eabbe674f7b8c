/**
 * The directory a shim is started in: config.json, rootfs/, the link `work`, and what is needed to find
 * the shim again after a restart of the manager.
 *
 * @see containerd-behaviour.md §i (Bundle)
 */
import { mkdir, readFile, readdir, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { encodeBootstrapFile, parseBootstrapAnswer, type ShimEndpoint } from './bootstrap.ts'

const COMPONENT = 'io.containerd.runtime.v2.task'
/** Only the owner enters: a bundle holds sockets, and a rootfs with setuid files of the image. */
const BUNDLE_MODE = 0o700

export interface BundleRoots {
  /** Lost at reboot. */
  readonly stateDirectory: string
  /** Kept. */
  readonly rootDirectory: string
}

export class Bundle {
  readonly namespace: string
  readonly id: string
  /** Absolute; the shim's working directory. */
  readonly path: string
  readonly #workPath: string

  private constructor(roots: BundleRoots, namespace: string, id: string) {
    this.namespace = namespace
    this.id = id
    this.path = join(roots.stateDirectory, COMPONENT, namespace, id)
    this.#workPath = join(roots.rootDirectory, COMPONENT, namespace, id)
  }

  get rootfsPath(): string {
    return join(this.path, 'rootfs')
  }

  get logPath(): string {
    return join(this.path, 'log')
  }

  /**
   * Makes the bundle. `namespace` and `id` have been checked to be identifiers.
   *
   * @throws alreadyExists when there is one
   */
  static async create(
    roots: BundleRoots,
    namespace: string,
    id: string,
    config: Uint8Array,
  ): Promise<Bundle> {
    const bundle = new Bundle(roots, namespace, id)
    await mkdir(dirname(bundle.path), { recursive: true, mode: 0o711 })
    try {
      await mkdir(bundle.path, { mode: BUNDLE_MODE })
    } catch (error) {
      throw wrapSystemError(error, { action: 'create the bundle', path: bundle.path })
    }
    try {
      await mkdir(bundle.#workPath, { recursive: true, mode: 0o711 })
      await mkdir(bundle.rootfsPath, { mode: 0o711 })
      await symlink(bundle.#workPath, join(bundle.path, 'work'))
      await writeFile(join(bundle.path, 'config.json'), config, { mode: 0o600 })
    } catch (error) {
      await bundle.remove()
      throw wrapSystemError(error, { action: 'create the bundle', path: bundle.path })
    }
    return bundle
  }

  /** The bundles that are there, from before a restart. Names that are no bundles are left alone. */
  static async list(roots: BundleRoots): Promise<readonly Bundle[]> {
    const top = join(roots.stateDirectory, COMPONENT)
    const bundles: Bundle[] = []
    for (const namespace of await subdirectories(top)) {
      for (const id of await subdirectories(join(top, namespace))) {
        bundles.push(new Bundle(roots, namespace, id))
      }
    }
    return bundles
  }

  /** Written before the shim is started: whoever finds the bundle knows what to clean it up with. */
  async writeShimPath(shimPath: string): Promise<void> {
    await this.writeFileAtomically('shim-binary-path', shimPath)
  }

  async writeEndpoint(endpoint: ShimEndpoint): Promise<void> {
    await this.writeFileAtomically('bootstrap.json', encodeBootstrapFile(endpoint))
  }

  /** Undefined when the shim never got as far as answering. */
  async readEndpoint(): Promise<ShimEndpoint | undefined> {
    const text = (await this.#read('bootstrap.json')) ?? (await this.#read('address'))
    return text === undefined ? undefined : parseBootstrapAnswer(text)
  }

  async readShimPath(): Promise<string | undefined> {
    return (await this.#read('shim-binary-path'))?.toString('utf8')
  }

  async readJson(name: string): Promise<unknown> {
    const text = await this.#read(name)
    return text === undefined ? undefined : JSON.parse(text.toString('utf8'))
  }

  /** A reader sees the old content or the new. Not synced: the state directory does not outlive a power cut. */
  async writeFileAtomically(name: string, content: string): Promise<void> {
    const path = join(this.path, name)
    const temporary = join(this.path, `.${name}.tmp`)
    try {
      await writeFile(temporary, content, { mode: 0o600 })
      await rename(temporary, path)
    } catch (error) {
      throw wrapSystemError(error, { action: 'write', path })
    }
  }

  /**
   * Removes the bundle and the work directory; that they are gone already is no error. The rootfs must be
   * unmounted: it is removed as an empty directory only, so that no snapshot can be emptied through it.
   *
   * @throws failedPrecondition when something is still in the rootfs
   */
  async remove(): Promise<void> {
    try {
      await rmdir(this.rootfsPath)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') {
        throw wrapSystemError(error, {
          action: 'remove the bundle of',
          subject: this.id,
          path: this.rootfsPath,
          hint: 'the rootfs is still mounted or in use',
        })
      }
    }
    // Renamed first: half a bundle must not be taken for one.
    const doomed = join(dirname(this.path), `.${this.id}`)
    try {
      await rename(this.path, doomed)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') {
        throw wrapSystemError(error, { action: 'remove the bundle', path: this.path })
      }
    }
    await rm(doomed, { recursive: true, force: true })
    await rm(this.#workPath, { recursive: true, force: true })
  }

  async #read(name: string): Promise<Buffer | undefined> {
    const path = join(this.path, name)
    try {
      return await readFile(path)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw wrapSystemError(error, { action: 'read', path })
    }
  }
}

/** The JSON of a container's spec. @throws invalidArgument */
export function bundleConfig(
  spec: { readonly value: Uint8Array } | undefined,
  id: string,
): Uint8Array {
  if (spec === undefined || spec.value.byteLength === 0) {
    throw new PlatformError('invalidArgument', {
      action: 'create task',
      subject: id,
      found: 'a container without a spec',
    })
  }
  return spec.value
}

async function subdirectories(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    return entries.filter((e) => e.isDirectory() && !e.name.startsWith('.')).map((e) => e.name)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw wrapSystemError(error, { action: 'list', path })
  }
}
