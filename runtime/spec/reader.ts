/**
 * Reads typed members out of a parsed JSON object; what is wrong is reported with its JSON pointer, what
 * was found and what was wanted. JSON `null` counts as left out, as in runc. Unknown members are ignored.
 */
import { PlatformError } from '../../proto/errors/platform-error.ts'

export interface IntegerRange {
  readonly min: number
  readonly max: number
}

export interface BigIntRange {
  readonly min: bigint
  readonly max: bigint
}

export const UINT32: IntegerRange = { min: 0, max: 0xffff_ffff }
export const UINT16: IntegerRange = { min: 0, max: 0xffff }
export const INT64: BigIntRange = { min: -(2n ** 63n), max: 2n ** 63n - 1n }
export const UINT64: BigIntRange = { min: 0n, max: 2n ** 64n - 1n }

/** What a whole document shares: its name in errors, and what was ignored with a warning. */
interface DocumentContext {
  readonly name: string
  readonly warnings: string[]
}

type JsonObject = Readonly<Record<string, unknown>>

export class ObjectReader {
  readonly #object: JsonObject
  readonly #document: DocumentContext
  readonly #parent: ObjectReader | undefined
  /** Path below the parent: one member name, or a member name and an index. */
  readonly #path: string

  private constructor(
    object: JsonObject,
    document: DocumentContext,
    parent: ObjectReader | undefined,
    path: string,
  ) {
    this.#object = object
    this.#document = document
    this.#parent = parent
    this.#path = path
  }

  /** @throws invalidArgument when the document is not an object */
  static root(value: unknown, name: string): ObjectReader {
    if (!isObject(value)) {
      throw new PlatformError('invalidArgument', {
        action: `parse ${name}`,
        found: describe(value),
        wanted: 'an object',
      })
    }
    return new ObjectReader(value, { name, warnings: [] }, undefined, '')
  }

  get warnings(): readonly string[] {
    return this.#document.warnings
  }

  /** JSON pointer (RFC 6901) of this object; of a member with `key`. */
  pointer(key?: string): string {
    const own = (this.#parent?.pointer() ?? '') + this.#path
    return key === undefined ? own : `${own}/${escapePointer(key)}`
  }

  /** @param key member, or member and index as `args/0` */
  fail(key: string, wanted: string, found: string = describe(this.#object[key])): never {
    throw new PlatformError('invalidArgument', {
      action: `parse ${this.#document.name}`,
      step: `${this.pointer()}/${key}`,
      found,
      wanted,
    })
  }

  /** Notes something that is ignored. */
  warn(key: string, warning: string): void {
    this.#document.warnings.push(`${this.#document.name} ${this.pointer()}/${key}: ${warning}`)
  }

  has(key: string): boolean {
    return this.#value(key) !== undefined
  }

  // Strings

  optionalString(key: string): string | undefined {
    const value = this.#value(key)
    return value === undefined ? undefined : this.#asString(key, value)
  }

  string(key: string): string {
    return this.optionalString(key) ?? this.fail(key, 'a string', 'nothing')
  }

  /** An empty string counts as left out, as Go's `omitempty` documents write it. */
  nonEmptyString(key: string): string | undefined {
    const value = this.optionalString(key)
    return value === '' ? undefined : value
  }

  absolutePath(key: string): string {
    const value = this.string(key)
    return value.startsWith('/') ? value : this.fail(key, 'an absolute path')
  }

  strings(key: string): readonly string[] {
    return this.#array(key).map((value, index) => this.#asString(`${key}/${index}`, value))
  }

  /** A name out of a table. */
  optionalName<T extends string>(key: string, names: Names<T>): T | undefined {
    const value = this.optionalString(key)
    return value === undefined ? undefined : this.#asName(key, value, names)
  }

  name<T extends string>(key: string, names: Names<T>): T {
    return this.#asName(key, this.string(key), names)
  }

  names<T extends string>(key: string, names: Names<T>): readonly T[] {
    return this.strings(key).map((value, index) => this.#asName(`${key}/${index}`, value, names))
  }

  // Numbers and booleans

  boolean(key: string): boolean {
    return this.optionalBoolean(key) ?? false
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.#value(key)
    if (value === undefined || typeof value === 'boolean') return value
    return this.fail(key, 'true or false')
  }

  optionalInteger(key: string, range: IntegerRange): number | undefined {
    const value = this.#value(key)
    return value === undefined ? undefined : this.#asInteger(key, value, range)
  }

  integer(key: string, range: IntegerRange): number {
    return this.optionalInteger(key, range) ?? this.fail(key, 'an integer', 'nothing')
  }

  integers(key: string, range: IntegerRange): readonly number[] {
    return this.#array(key).map((value, index) => this.#asInteger(`${key}/${index}`, value, range))
  }

  optionalBigInt(key: string, { min, max }: BigIntRange): bigint | undefined {
    const value = this.#value(key)
    if (value === undefined) return undefined
    const integer = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value
    if (typeof integer !== 'bigint' || integer < min || integer > max) {
      return this.fail(key, `an integer from ${min} to ${max}`)
    }
    return integer
  }

  bigint(key: string, range: BigIntRange): bigint {
    return this.optionalBigInt(key, range) ?? this.fail(key, 'an integer', 'nothing')
  }

  // Structures

  optionalObject(key: string): ObjectReader | undefined {
    const value = this.#value(key)
    return value === undefined ? undefined : this.#asObject(key, value)
  }

  objects<T>(key: string, parse: (reader: ObjectReader) => T): readonly T[] {
    return this.#array(key).map((value, index) => parse(this.#asObject(`${key}/${index}`, value)))
  }

  optionalObjects<T>(key: string, parse: (reader: ObjectReader) => T): readonly T[] | undefined {
    return this.has(key) ? this.objects(key, parse) : undefined
  }

  /** Members of a JSON object used as a map, each a string. NUL is allowed only where nothing reaches the kernel. */
  stringMap(key: string, options: { readonly allowNul?: boolean } = {}): Record<string, string> {
    const map = this.optionalObject(key)
    if (map === undefined) return {}
    return Object.fromEntries(
      Object.entries(map.#object).map(([name, value]) => {
        if (options.allowNul === true && typeof value === 'string') return [name, value]
        map.#refuseNul(escapePointer(name), name)
        return [name, map.#asString(escapePointer(name), value)]
      }),
    )
  }

  /** Members of a JSON object used as a map, each an object. */
  objectMap<T>(key: string, parse: (reader: ObjectReader) => T): Record<string, T> {
    const map = this.optionalObject(key)
    if (map === undefined) return {}
    return Object.fromEntries(
      Object.entries(map.#object).map(([name, value]) => {
        map.#refuseNul(escapePointer(name), name)
        return [name, parse(map.#asObject(escapePointer(name), value))]
      }),
    )
  }

  #value(key: string): unknown {
    const value = Object.hasOwn(this.#object, key) ? this.#object[key] : undefined
    return value === null ? undefined : value
  }

  #array(key: string): readonly unknown[] {
    const value = this.#value(key)
    if (value === undefined) return []
    return Array.isArray(value) ? value : this.fail(key, 'an array')
  }

  #asString(key: string, value: unknown): string {
    if (typeof value !== 'string') return this.fail(key, 'a string', describe(value))
    this.#refuseNul(key, value)
    return value
  }

  /** Everything here ends up as a C string, where a NUL would cut it short unseen. */
  #refuseNul(key: string, value: string): void {
    if (value.includes('\0')) this.fail(key, 'a string without NUL', JSON.stringify(value))
  }

  #asName<T extends string>(key: string, value: string, names: Names<T>): T {
    if (isNameOf(value, names)) return value
    const known = Array.isArray(names) ? names : Object.keys(names)
    return this.fail(key, `one of ${known.join(', ')}`, JSON.stringify(value))
  }

  #asInteger(key: string, value: unknown, { min, max }: IntegerRange): number {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
      return value
    }
    return this.fail(key, `an integer from ${min} to ${max}`, describe(value))
  }

  #asObject(key: string, value: unknown): ObjectReader {
    if (!isObject(value)) return this.fail(key, 'an object', describe(value))
    return new ObjectReader(value, this.#document, this, `/${key}`)
  }
}

/** A list of names, or a table whose keys are the names. */
export type Names<T extends string> = readonly T[] | Readonly<Record<T, unknown>>

function isNameOf<T extends string>(value: string, names: Names<T>): value is T {
  return Array.isArray(names)
    ? (names as readonly string[]).includes(value)
    : Object.hasOwn(names, value)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** RFC 6901 section 3. */
function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** A value in few words for an error: `number 5`, `"text"`, `an array`. */
function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array'
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value)
    case 'number':
    case 'bigint':
      return `number ${value}`
    case 'boolean':
      return String(value)
    default:
      return 'an object'
  }
}
