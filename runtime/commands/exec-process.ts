/** The process of a container, changed by the flags of `exec`. */
import { isCapability } from '../spec/capabilities.ts'
import { ID_RANGE } from '../spec/process.ts'
import type { Capability, CapabilitySets, ProcessSpec, UserSpec } from '../spec/types.ts'
import { usageError } from './arguments.ts'

export interface ProcessOverrides {
  readonly tty: boolean | undefined
  readonly user: string | undefined
  readonly 'additional-gids': readonly number[]
  readonly cwd: string | undefined
  readonly env: readonly string[]
  readonly cap: readonly string[]
  readonly 'no-new-privs': boolean | undefined
  readonly apparmor: string | undefined
  readonly 'process-label': string | undefined
}

/** @throws invalidArgument */
export function overrideProcess(
  process: ProcessSpec,
  args: readonly string[],
  overrides: ProcessOverrides,
): ProcessSpec {
  if (args.length === 0)
    throw usageError('exec: want a command after the container id, or --process')
  if (overrides.cwd?.startsWith('/') === false)
    throw usageError('exec: --cwd: want an absolute path')
  const wrong = overrides.env.find((variable) => variable.indexOf('=') < 1)
  if (wrong !== undefined) throw usageError(`exec: --env ${JSON.stringify(wrong)}: want NAME=value`)
  return {
    ...process,
    args,
    terminal: overrides.tty ?? false,
    consoleSize: undefined,
    cwd: overrides.cwd ?? process.cwd,
    env: [...process.env, ...overrides.env],
    user: overrideUser(process.user, overrides),
    capabilities: addCapabilities(process.capabilities, overrides.cap),
    noNewPrivileges: overrides['no-new-privs'] ?? process.noNewPrivileges,
    apparmorProfile: overrides.apparmor ?? process.apparmorProfile,
    selinuxLabel: overrides['process-label'] ?? process.selinuxLabel,
  }
}

function overrideUser(user: UserSpec, overrides: ProcessOverrides): UserSpec {
  const ids = overrides.user === undefined ? user : { ...user, ...parseUserIds(overrides.user) }
  const added = overrides['additional-gids']
  const wrong = added.find((gid) => gid < ID_RANGE.min || gid > ID_RANGE.max)
  if (wrong !== undefined) throw usageError(`exec: --additional-gids ${wrong}: want a group id`)
  return { ...ids, additionalGids: [...user.additionalGids, ...added] }
}

/**
 * `uid` or `uid:gid`, in plain decimal: anything that could be read in two ways is refused (S-20).
 *
 * @throws invalidArgument
 */
export function parseUserIds(text: string): { readonly uid: number; readonly gid?: number } {
  const [, uidText, gidText] = /^(0|[1-9]\d{0,9})(?::(0|[1-9]\d{0,9}))?$/.exec(text) ?? []
  const uid = Number(uidText)
  const gid = gidText === undefined ? undefined : Number(gidText)
  if (uidText === undefined || uid > ID_RANGE.max || (gid ?? 0) > ID_RANGE.max) {
    throw usageError(`exec: --user ${JSON.stringify(text)}: want uid or uid:gid in decimal`)
  }
  return gid === undefined ? { uid } : { uid, gid }
}

/** Not inheritable and not ambient: those would give it to programs that were not asked about (S-10). */
function addCapabilities(sets: CapabilitySets, names: readonly string[]): CapabilitySets {
  const added = names.map((name): Capability => {
    if (isCapability(name)) return name
    throw usageError(`exec: --cap ${JSON.stringify(name)}: want the name of a capability, CAP_…`)
  })
  const union = (set: readonly Capability[]): readonly Capability[] => [
    ...new Set([...set, ...added]),
  ]
  return {
    ...sets,
    bounding: union(sets.bounding),
    effective: union(sets.effective),
    permitted: union(sets.permitted),
  }
}
