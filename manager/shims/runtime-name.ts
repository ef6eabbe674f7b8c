/**
 * Runtime name → shim program.
 *
 * @see DESIGN.md 16, containerd-behaviour.md §i (Name)
 */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'

/** Name of a shim program: looked up, never a path. */
export const BERTH_SHIM = 'containerd-shim-berth-v2'

/** What clients ask for when nobody chose, mapped to our shim; configuration overrides. */
const DEFAULT_MAPPING: Readonly<Record<string, string>> = {
  'io.containerd.runc.v2': BERTH_SHIM,
}

/** `io.containerd.<name>.<version>`, and longer names of the same form: the last two parts count. */
const RUNTIME_NAME = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/

/**
 * The program for a runtime: an absolute path as it is, else the name of a program to look up.
 *
 * @param mapping configured runtime names → program name or absolute path
 * @throws invalidArgument for what is neither
 */
export function shimProgramName(
  runtime: string,
  mapping: Readonly<Record<string, string>> = {},
): string {
  const mapped = lookUp(mapping, runtime) ?? lookUp(DEFAULT_MAPPING, runtime)
  if (mapped !== undefined) return mapped
  if (isAbsolute(runtime)) return runtime
  if (!RUNTIME_NAME.test(runtime)) {
    throw new PlatformError('invalidArgument', {
      action: 'find the shim of runtime',
      subject: JSON.stringify(runtime),
      wanted: 'a name like io.containerd.runc.v2, or an absolute path',
    })
  }
  const [name, version] = runtime.split('.').slice(-2)
  return `containerd-shim-${String(name)}-${String(version)}`
}

export interface ShimSearch {
  readonly mapping?: Readonly<Record<string, string>>
  /** Where our own programs lie. */
  readonly programDirectory: string
  /** The PATH variable. */
  readonly path: string
}

/**
 * The absolute path of a runtime's shim. Our own shim is taken from beside the manager first, so that
 * the two are of one build; others from PATH, then from beside the manager.
 *
 * @throws invalidArgument, notFound
 */
export async function resolveShimProgram(runtime: string, search: ShimSearch): Promise<string> {
  const name = shimProgramName(runtime, search.mapping)
  const fromPath = search.path.split(delimiter).filter(isAbsolute)
  const directories =
    name === BERTH_SHIM
      ? [search.programDirectory, ...fromPath]
      : [...fromPath, search.programDirectory]
  const candidates = isAbsolute(name)
    ? [name]
    : directories.map((directory) => join(directory, name))
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) return candidate
  }
  throw new PlatformError('notFound', {
    action: 'find the shim of runtime',
    subject: runtime,
    found: isAbsolute(name) ? `no program at ${name}` : `no ${name} in ${directories.join(':')}`,
    hint: 'install it, or choose another runtime',
  })
}

function lookUp(mapping: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(mapping, name) ? mapping[name] : undefined
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
