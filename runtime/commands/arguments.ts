/**
 * Command lines as runc reads them (Go's flag package): `--flag value`, `--flag=value`, `-flag value`,
 * booleans without a value, `--` before what is no flag.
 */
import { PlatformError } from '../../proto/errors/platform-error.ts'

export interface Flag {
  readonly kind: 'boolean' | 'string' | 'integer' | 'strings' | 'integers'
  /** One letter. */
  readonly short?: string
  readonly help: string
}

export type FlagTable = Readonly<Record<string, Flag>>

/** What a flag's value is; undefined when it was not given. */
export type FlagValues<T extends FlagTable> = {
  readonly [Name in keyof T]: ValueOfKind<T[Name]['kind']>
}

type ValueOfKind<Kind> = Kind extends 'boolean'
  ? boolean | undefined
  : Kind extends 'integer'
    ? number | undefined
    : Kind extends 'strings'
      ? readonly string[]
      : Kind extends 'integers'
        ? readonly number[]
        : string | undefined

export interface ParsedArguments<T extends FlagTable> {
  readonly flags: FlagValues<T>
  /** `--help` or `-h` was given. */
  readonly isHelp: boolean
  readonly positionals: readonly string[]
}

export interface ParseOptions {
  /** Flags end at the first positional: what follows belongs to another program. */
  readonly stopAtPositional?: boolean
}

/** @throws invalidArgument */
export function parseArguments<T extends FlagTable>(
  args: readonly string[],
  table: T,
  { stopAtPositional = false }: ParseOptions = {},
): ParsedArguments<T> {
  const values = new Map<string, string[]>()
  const positionals: string[] = []
  let isHelp = false
  let at = 0
  while (at < args.length) {
    const argument = args[at] ?? ''
    at += 1
    if (argument === '--') break
    if (!argument.startsWith('-') || argument === '-') {
      positionals.push(argument)
      if (stopAtPositional) break
      continue
    }
    if (/^--?(help|h)$/.test(argument)) {
      isHelp = true
      continue
    }
    const { name, flag, inline } = findFlag(argument, table)
    const needsNext = inline === undefined && flag.kind !== 'boolean'
    const value = inline ?? (needsNext ? args[at] : 'true')
    if (value === undefined) throw usageError(`flag needs an argument: ${argument}`)
    if (needsNext) at += 1
    values.set(name, [...(values.get(name) ?? []), value])
  }
  const flags = Object.entries(table).map(([name, flag]) => [
    name,
    convert(name, flag, values.get(name) ?? []),
  ])
  return {
    flags: Object.fromEntries(flags) as FlagValues<T>,
    isHelp,
    positionals: [...positionals, ...args.slice(at)],
  }
}

interface FoundFlag {
  readonly name: string
  readonly flag: Flag
  /** What follows `=`. */
  readonly inline: string | undefined
}

function findFlag(argument: string, table: FlagTable): FoundFlag {
  const match = /^--?([^=]+)(?:=(.*))?$/s.exec(argument)
  const [, given = '', inline] = match ?? []
  const entry = Object.entries(table).find(([name, { short }]) => name === given || short === given)
  if (entry === undefined) throw usageError(`flag provided but not defined: -${given}`)
  const [name, flag] = entry
  return { name, flag, inline }
}

function convert(name: string, flag: Flag, values: readonly string[]): unknown {
  const last = values.at(-1)
  switch (flag.kind) {
    case 'boolean':
      return last === undefined ? undefined : toBoolean(name, last)
    case 'string':
      return last
    case 'integer':
      return last === undefined ? undefined : toInteger(name, last)
    case 'strings':
      return values
    case 'integers':
      return values.map((value) => toInteger(name, value))
  }
}

/** The words of Go's strconv.ParseBool. */
function toBoolean(name: string, value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false
  throw usageError(`invalid value ${JSON.stringify(value)} for flag -${name}: want true or false`)
}

function toInteger(name: string, value: string): number {
  const number = /^-?(0|[1-9]\d*)$/.test(value) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  throw usageError(`invalid value ${JSON.stringify(value)} for flag -${name}: want an integer`)
}

export function usageError(action: string): PlatformError {
  return new PlatformError('invalidArgument', { action })
}
