/** Looks a field up in an object; undefined when the object has no such field, or it is not set. */
export type FieldLookup = (path: readonly string[]) => string | undefined

/** A set string field counts as present, an empty one does not: `name` alone selects what has a name. */
export function presentString(value: string): string | undefined {
  return value === '' ? undefined : value
}

/** `labels."a.b/c"`: quoted or not, everything after the first component is the key. */
export function lookupLabel(
  labels: Readonly<Record<string, string>>,
  path: readonly string[],
): string | undefined {
  const key = path.join('.')
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}
