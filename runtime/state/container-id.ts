import { PlatformError } from '../../proto/errors/platform-error.ts'

/** An id that is safe as a file name and as the name of a cgroup (S-23). */
export type ContainerId = string & { readonly __brand: 'ContainerId' }

/** A file name cannot be longer. */
const MAX_LENGTH = 255

/** @throws invalidArgument */
export function parseContainerId(raw: string): ContainerId {
  const isSafe = raw.length <= MAX_LENGTH && /^[A-Za-z0-9_+-][A-Za-z0-9_+.-]*$/.test(raw)
  if (isSafe) return raw as ContainerId
  throw new PlatformError('invalidArgument', {
    action: 'check container id',
    found: JSON.stringify(raw.length > MAX_LENGTH ? `${raw.slice(0, 32)}…` : raw),
    wanted: `1 to ${MAX_LENGTH} of A-Z a-z 0-9 _ + - . and no . at the start`,
  })
}
