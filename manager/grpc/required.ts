import { PlatformError } from '../../proto/errors/platform-error.ts'

/** A message field that the protocol cannot demand, but the call does. @throws invalidArgument */
export function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) {
    throw new PlatformError('invalidArgument', {
      action: 'read the request',
      found: `no ${field}`,
      wanted: `the field ${field}`,
    })
  }
  return value
}
