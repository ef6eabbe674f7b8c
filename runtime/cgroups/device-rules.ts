/**
 * Which devices a container may use. The list of config.json is an allow-list whatever its first rule says:
 * nothing is allowed before it (S-07), and the standard devices are allowed after it, as in runc.
 *
 * @see runtime-spec v1.3 config-linux.md#allowed-device-list
 */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { DeviceAccess, DeviceRule } from '../spec/types.ts'

const ALL: DeviceAccess = { read: true, write: true, mknod: true }
const MKNOD: DeviceAccess = { read: false, write: false, mknod: true }

function allowCharacter(major: number, minor: number | undefined): DeviceRule {
  return { allow: true, type: 'c', major, minor, access: ALL }
}

/** Making any node is harmless, opening it is not: null, zero, full, random, urandom, tty, ptmx, pts. */
export const STANDARD_DEVICE_RULES: readonly DeviceRule[] = [
  { allow: true, type: 'c', access: MKNOD },
  { allow: true, type: 'b', access: MKNOD },
  allowCharacter(1, 3),
  allowCharacter(1, 5),
  allowCharacter(1, 7),
  allowCharacter(1, 8),
  allowCharacter(1, 9),
  allowCharacter(5, 0),
  allowCharacter(5, 2),
  allowCharacter(136, undefined),
]

/** The rules of the document with the standard ones; a later rule wins. */
export function withStandardDevices(
  rules: readonly DeviceRule[] | undefined,
): readonly DeviceRule[] {
  return [...(rules ?? []), ...STANDARD_DEVICE_RULES]
}

/** Is this the rule that speaks of every access to every device? Whatever stands before it has no effect. */
export function isTotal({ type, major, minor, access }: DeviceRule): boolean {
  const isAnyDevice = type === 'a' && major === undefined && minor === undefined
  return isAnyDevice && access.read && access.write && access.mknod
}

/** What a v1 devices cgroup is: a default and exceptions from it. */
export interface DeviceList {
  readonly defaultAllow: boolean
  /** Each device or wildcard at most once. */
  readonly exceptions: readonly DeviceException[]
}

export interface DeviceException {
  readonly type: 'c' | 'b'
  readonly major?: number | undefined
  readonly minor?: number | undefined
  readonly access: DeviceAccess
}

/**
 * The v1 form of an ordered list. v1 matches exceptions exactly, so a rule that takes a single device out of
 * a wildcard before it cannot be said there.
 *
 * @throws failedPrecondition for such a rule: leaving it out would allow what was forbidden
 */
export function deviceListOf(rules: readonly DeviceRule[]): DeviceList {
  let defaultAllow = false
  let exceptions: DeviceException[] = []
  for (const rule of rules) {
    if (isTotal(rule)) {
      defaultAllow = rule.allow
      exceptions = []
      continue
    }
    for (const part of splitTypes(rule)) {
      exceptions =
        rule.allow === defaultAllow
          ? withoutException(exceptions, part)
          : withException(exceptions, part)
    }
  }
  return { defaultAllow, exceptions }
}

/** The kernel ignores numbers in a rule for type `a`; two rules say what is meant. */
function splitTypes({ type, major, minor, access }: DeviceRule): readonly DeviceException[] {
  const types = type === 'a' ? (['c', 'b'] as const) : [type]
  return types.map((one) => ({ type: one, major, minor, access }))
}

function withException(
  list: readonly DeviceException[],
  added: DeviceException,
): DeviceException[] {
  const same = list.find((exception) => isSameDevice(exception, added))
  if (same === undefined) return [...list, added]
  const merged = { ...same, access: union(same.access, added.access) }
  return list.map((exception) => (exception === same ? merged : exception))
}

function withoutException(
  list: readonly DeviceException[],
  removed: DeviceException,
): DeviceException[] {
  return list.flatMap((exception) => {
    if (!overlaps(exception, removed)) return [exception]
    if (!covers(removed, exception)) {
      throw new PlatformError('failedPrecondition', {
        action: 'set device rules',
        subject: formatException(removed),
        found: `${formatException(exception)} before it`,
        wanted: 'no exception from a wildcard: cgroup v1 cannot hold one',
        hint: 'name the devices one by one, or use cgroup v2',
      })
    }
    const access = difference(exception.access, removed.access)
    return access.read || access.write || access.mknod ? [{ ...exception, access }] : []
  })
}

function isSameDevice(a: DeviceException, b: DeviceException): boolean {
  return a.type === b.type && a.major === b.major && a.minor === b.minor
}

function covers(wide: DeviceException, narrow: DeviceException): boolean {
  return (
    wide.type === narrow.type &&
    (wide.major === undefined || wide.major === narrow.major) &&
    (wide.minor === undefined || wide.minor === narrow.minor)
  )
}

/** Is there a device and an access that both speak of? */
function overlaps(a: DeviceException, b: DeviceException): boolean {
  const number = (x: number | undefined, y: number | undefined): boolean =>
    x === undefined || y === undefined || x === y
  const access =
    (a.access.read && b.access.read) ||
    (a.access.write && b.access.write) ||
    (a.access.mknod && b.access.mknod)
  return access && a.type === b.type && number(a.major, b.major) && number(a.minor, b.minor)
}

function union(a: DeviceAccess, b: DeviceAccess): DeviceAccess {
  return { read: a.read || b.read, write: a.write || b.write, mknod: a.mknod || b.mknod }
}

function difference(a: DeviceAccess, b: DeviceAccess): DeviceAccess {
  return { read: a.read && !b.read, write: a.write && !b.write, mknod: a.mknod && !b.mknod }
}

/** As devices.allow and devices.deny take it: `c 1:3 rwm`. */
export function formatException({ type, major, minor, access }: DeviceException): string {
  const letters = `${access.read ? 'r' : ''}${access.write ? 'w' : ''}${access.mknod ? 'm' : ''}`
  return `${type} ${major ?? '*'}:${minor ?? '*'} ${letters}`
}
