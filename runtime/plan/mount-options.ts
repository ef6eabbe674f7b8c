/**
 * The options of a mount as the kernel wants them: attributes of the mount, its propagation, and what is
 * left for the file system itself.
 *
 * @see runtime-spec v1.3 config.md#linux-mount-options
 */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { RootfsPropagation } from '../spec/types.ts'
import { MOUNT_ATTR, MS } from './kernel.ts'

export interface AttributeChange {
  readonly set: number
  readonly clear: number
}

export interface MountOptions {
  readonly bind: 'none' | 'bind' | 'rbind'
  readonly attributes: AttributeChange
  /** The `rro` family: for the mount and everything below it. */
  readonly recursiveAttributes: AttributeChange
  /** MS_* with MS_REC, or 0. */
  readonly propagation: number
  /** `key=value` or a flag, in order. */
  readonly data: readonly string[]
}

const { RDONLY, NOSUID, NODEV, NOEXEC, ATIME_MASK, NOATIME, STRICTATIME, NODIRATIME, NOSYMFOLLOW } =
  MOUNT_ATTR

/** Each has a recursive form with an `r` before it. */
const ATTRIBUTE_OPTIONS: Readonly<Record<string, AttributeChange>> = {
  ro: { set: RDONLY, clear: 0 },
  rw: { set: 0, clear: RDONLY },
  nosuid: { set: NOSUID, clear: 0 },
  suid: { set: 0, clear: NOSUID },
  nodev: { set: NODEV, clear: 0 },
  dev: { set: 0, clear: NODEV },
  noexec: { set: NOEXEC, clear: 0 },
  exec: { set: 0, clear: NOEXEC },
  nodiratime: { set: NODIRATIME, clear: 0 },
  diratime: { set: 0, clear: NODIRATIME },
  nosymfollow: { set: NOSYMFOLLOW, clear: 0 },
  symfollow: { set: 0, clear: NOSYMFOLLOW },
  // The access time modes are one field of three values: setting one clears the field.
  noatime: { set: NOATIME, clear: ATIME_MASK },
  strictatime: { set: STRICTATIME, clear: ATIME_MASK },
  relatime: { set: 0, clear: ATIME_MASK },
  atime: { set: 0, clear: ATIME_MASK },
  norelatime: { set: 0, clear: ATIME_MASK },
  nostrictatime: { set: 0, clear: ATIME_MASK },
}

const PROPAGATION_KINDS = {
  private: MS.PRIVATE,
  shared: MS.SHARED,
  slave: MS.SLAVE,
  unbindable: MS.UNBINDABLE,
} as const

const PROPAGATION_OPTIONS: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(PROPAGATION_KINDS).flatMap(([name, flag]) => [
    [name, flag],
    [`r${name}`, flag | MS.REC],
  ]),
)

export function propagationFlags(propagation: RootfsPropagation): number {
  return PROPAGATION_OPTIONS[propagation] ?? 0
}

/** Options of the superblock that are off unless asked for, so their negative asks for nothing. */
const NO_OPERATION: ReadonlySet<string> = new Set([
  'defaults',
  'async',
  'loud',
  'nomand',
  'mand',
  'nolazytime',
  'noiversion',
  'silent',
])

/** Options this runtime does not carry out yet; ignoring them would change what the bundle asked for. */
const UNIMPLEMENTED: ReadonlySet<string> = new Set(['remount', 'tmpcopyup', 'idmap', 'ridmap'])

/** @throws unimplemented for an option that would have to be ignored */
export function parseMountOptions(options: readonly string[], pointer: string): MountOptions {
  let bind: MountOptions['bind'] = 'none'
  let attributes: AttributeChange = { set: 0, clear: 0 }
  let recursiveAttributes: AttributeChange = { set: 0, clear: 0 }
  let propagation = 0
  const data: string[] = []
  options.forEach((option, index) => {
    const own = ATTRIBUTE_OPTIONS[option]
    const recursive = option.startsWith('r') ? ATTRIBUTE_OPTIONS[option.slice(1)] : undefined
    const spread = PROPAGATION_OPTIONS[option]
    if (option === 'bind' || option === 'rbind') bind = option
    else if (own !== undefined) attributes = combine(attributes, own)
    else if (recursive !== undefined) recursiveAttributes = combine(recursiveAttributes, recursive)
    else if (spread !== undefined) propagation = spread
    else if (UNIMPLEMENTED.has(option))
      throw unimplementedOption(option, `${pointer}/options/${String(index)}`)
    else if (!NO_OPERATION.has(option)) data.push(option)
  })
  return { bind, attributes, recursiveAttributes, propagation, data }
}

/** A later option wins over an earlier one on the same bits. */
function combine(earlier: AttributeChange, later: AttributeChange): AttributeChange {
  return {
    set: (earlier.set & ~later.clear) | later.set,
    clear: (earlier.clear & ~later.set) | later.clear,
  }
}

function unimplementedOption(option: string, pointer: string): PlatformError {
  return new PlatformError('unimplemented', {
    action: 'plan mount',
    step: pointer,
    found: `the mount option ${option}`,
    wanted: 'an option this version carries out',
  })
}

/** The options this runtime carries out itself, for `features`; others go to the file system. */
export function supportedMountOptions(): readonly string[] {
  const attributes = Object.keys(ATTRIBUTE_OPTIONS)
  return [
    'bind',
    'rbind',
    ...attributes,
    ...attributes.map((option) => `r${option}`),
    ...Object.keys(PROPAGATION_OPTIONS),
    ...NO_OPERATION,
  ].toSorted()
}
