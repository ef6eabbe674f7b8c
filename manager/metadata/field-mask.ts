import { PlatformError } from '../../proto/errors/platform-error.ts'

/** How one field of a record is updated; `key` is what follows the first dot, `labels.<key>`. */
export interface FieldUpdate<T> {
  readonly whole: (current: T, wanted: T) => T
  /** Absent when the field has no parts that can be named. */
  readonly part?: (current: T, wanted: T, key: string) => T
}

export type FieldTable<T> = Readonly<Record<string, FieldUpdate<T>>>

/**
 * Applies an update with a field mask. Without a mask all mutable fields are replaced.
 *
 * @throws invalidArgument for a path that is not there or not mutable
 * @see containerd-behaviour.md §a
 */
export function applyFieldMask<T>(
  subject: string,
  fields: FieldTable<T>,
  current: T,
  wanted: T,
  mask: readonly string[],
): T {
  const paths = mask.length === 0 ? Object.keys(fields) : mask
  return paths.reduce((record, path) => applyPath(subject, fields, record, wanted, path), current)
}

function applyPath<T>(
  subject: string,
  fields: FieldTable<T>,
  current: T,
  wanted: T,
  path: string,
): T {
  const dot = path.indexOf('.')
  const name = dot === -1 ? path : path.slice(0, dot)
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (field !== undefined) {
    if (dot === -1) return field.whole(current, wanted)
    const key = path.slice(dot + 1)
    if (field.part !== undefined && key !== '') return field.part(current, wanted, key)
  }
  throw new PlatformError('invalidArgument', {
    action: 'update',
    subject,
    found: `the field path ${JSON.stringify(path)}`,
    wanted: `one of ${describeFields(fields)}`,
  })
}

function describeFields(fields: Readonly<Record<string, { readonly part?: unknown }>>): string {
  return Object.entries(fields)
    .flatMap(([name, { part }]) => (part === undefined ? [name] : [name, `${name}.<key>`]))
    .join(', ')
}
