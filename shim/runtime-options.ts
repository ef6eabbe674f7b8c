/** How the client wants the runtime to be run: `containerd.runc.v1.Options`, and its copy in the bundle. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Any } from '../proto/generated/google/protobuf/any.ts'
import { Options } from '../proto/generated/containerd/types/runc/options/oci.ts'
import { PlatformError, errnoOf, wrapSystemError } from '../proto/errors/platform-error.ts'
import { writeFileAtomically } from './atomic-file.ts'

export interface RuntimeOptions {
  /** A runc-compatible program, by path or by name in PATH; empty for our runtime in this process. */
  readonly binaryName: string
  /** State root of the runtime; the namespace is appended. Empty for the default. */
  readonly root: string
  readonly systemdCgroup: boolean
  readonly noPivotRoot: boolean
  readonly noNewKeyring: boolean
  /** A cgroup the shim itself joins. */
  readonly shimCgroup: string
  /** Owner of the stdio pipes. */
  readonly ioUid: number
  readonly ioGid: number
}

const DEFAULTS: RuntimeOptions = {
  binaryName: '',
  root: '',
  systemdCgroup: false,
  noPivotRoot: false,
  noNewKeyring: false,
  shimCgroup: '',
  ioUid: 0,
  ioGid: 0,
}

const RUNC_OPTIONS = 'containerd.runc.v1.Options'
/** What CRI sends for runtimes it has no type for: a configuration path and body, which we have no use for. */
const GENERIC_OPTIONS = ['runtimeoptions.v1.Options', 'containerd.runtimeoptions.v1.Options']
const FILE_NAME = 'options.json'

/** @throws invalidArgument for a message of another type, or one that does not decode */
export function parseRuntimeOptions(any: Any | undefined): RuntimeOptions {
  if (any === undefined || (any.typeUrl === '' && any.value.byteLength === 0)) return DEFAULTS
  const type = any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1)
  if (GENERIC_OPTIONS.includes(type)) return DEFAULTS
  if (type !== RUNC_OPTIONS) {
    throw new PlatformError('invalidArgument', {
      action: 'read the runtime options',
      found: any.typeUrl,
      wanted: RUNC_OPTIONS,
    })
  }
  let options: Options
  try {
    options = Options.decode(any.value)
  } catch (cause) {
    const found = `bytes that are not a ${RUNC_OPTIONS}`
    throw new PlatformError(
      'invalidArgument',
      { action: 'read the runtime options', found },
      { cause },
    )
  }
  return {
    binaryName: options.binaryName,
    root: options.root,
    systemdCgroup: options.systemdCgroup,
    noPivotRoot: options.noPivotRoot,
    noNewKeyring: options.noNewKeyring,
    shimCgroup: options.shimCgroup,
    ioUid: options.ioUid,
    ioGid: options.ioGid,
  }
}

/** Leaves the options in the bundle, for `delete` and for a shim that takes over. */
export function saveRuntimeOptions(bundle: string, options: RuntimeOptions): void {
  writeFileAtomically(join(bundle, FILE_NAME), JSON.stringify(options))
}

/** The container is gone with all it had: `delete` has nothing to ask a runtime for. */
export function forgetRuntimeOptions(bundle: string): void {
  rmSync(join(bundle, FILE_NAME), { force: true })
}

/** The options of a container that was created in this bundle; undefined when none ever was. */
export function loadRuntimeOptions(bundle: string): RuntimeOptions | undefined {
  const path = join(bundle, FILE_NAME)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw wrapSystemError(error, { action: 'read', path })
  }
  try {
    return { ...DEFAULTS, ...(JSON.parse(text) as Partial<RuntimeOptions>) }
  } catch (cause) {
    throw new PlatformError('dataLoss', { action: 'parse', path, wanted: 'JSON' }, { cause })
  }
}
