/** What every verb is made of. */
import { resolve } from 'node:path'
import type { ContainerReference } from '../api.ts'
import { type FlagTable, type ParsedArguments, parseArguments, usageError } from './arguments.ts'

/** What the global flags say. */
export interface CommandContext {
  /** State root, absolute. */
  readonly root: string
  /** Lines for a person. */
  readonly print: (text: string) => void
}

export interface Command {
  /** @param args what follows the verb; the result is the exit code */
  run(args: readonly string[], context: CommandContext): Promise<number>
}

export interface CommandDefinition<T extends FlagTable> {
  /** `run [options] <container-id>` */
  readonly usage: string
  readonly flags: T
  /** How many positionals; `undefined` at the end is any number. */
  readonly positionals: readonly [min: number, max: number | undefined]
  /** Flags end at the first positional. */
  readonly stopAtPositional?: boolean
  run(parsed: ParsedArguments<T>, context: CommandContext): Promise<number>
}

export function defineCommand<T extends FlagTable>(definition: CommandDefinition<T>): Command {
  return {
    run: async (args, context) => {
      const parsed = parseArguments(args, definition.flags, {
        stopAtPositional: definition.stopAtPositional ?? false,
      })
      if (parsed.isHelp) {
        context.print(describe(definition))
        return 0
      }
      checkPositionals(definition, parsed.positionals.length)
      return await definition.run(parsed, context)
    },
  }
}

/** The container the first positional names. */
export function containerOf(
  { positionals }: { readonly positionals: readonly string[] },
  { root }: CommandContext,
): ContainerReference {
  return { root, id: positionals[0] ?? '' }
}

export function bundleOf(flag: string | undefined): string {
  return resolve(flag ?? '.')
}

function checkPositionals<T extends FlagTable>(
  { usage, positionals: [min, max] }: CommandDefinition<T>,
  count: number,
): void {
  if (count >= min && (max === undefined || count <= max)) return
  const wanted =
    max === min ? `exactly ${min}` : max === undefined ? `at least ${min}` : `${min} to ${max}`
  throw usageError(`berth-runtime ${usage}: found ${count} arguments, want ${wanted}`)
}

function describe<T extends FlagTable>({ usage, flags }: CommandDefinition<T>): string {
  const lines = Object.entries(flags).map(([name, { short, kind, help }]) => {
    const value = kind === 'boolean' ? '' : ' value'
    const names = `--${name}${value}${short === undefined ? '' : `, -${short}${value}`}`
    return `   ${names.padEnd(36)} ${help}\n`
  })
  const options = lines.length === 0 ? '' : `\nOptions:\n${lines.join('')}`
  return `Usage: berth-runtime ${usage}\n${options}`
}
