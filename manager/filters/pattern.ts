import { PlatformError } from '../../proto/errors/platform-error.ts'
import {
  isWordCharacter,
  parsePattern,
  type Assertion,
  type CharacterTest,
  type PatternNode,
} from './pattern-syntax.ts'

/** A compiled regular expression. */
export interface Pattern {
  /** Whether the text contains a match. Takes time proportional to text times pattern, whatever they are. */
  test(text: string): boolean
}

type Instruction =
  | { readonly kind: 'character'; readonly accepts: CharacterTest }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'jump'; readonly targets: readonly number[] }
  | { readonly kind: 'match' }

const MAX_INSTRUCTIONS = 10_000

/**
 * Compiles a pattern into a machine that keeps all its threads in step. A client chooses both the pattern
 * and, by its labels, the text; the engine's own RegExp can be made to backtrack for years.
 *
 * @throws invalidArgument
 */
export function compilePattern(source: string): Pattern {
  const program: Instruction[] = []
  emit(parsePattern(source), program)
  program.push({ kind: 'match' })
  return { test: (text) => run(program, Array.from(text)) }
}

function emit(node: PatternNode, program: Instruction[]): void {
  if (program.length > MAX_INSTRUCTIONS) {
    throw new PlatformError('invalidArgument', {
      action: 'compile pattern',
      found: `more than ${String(MAX_INSTRUCTIONS)} steps`,
      wanted: 'a smaller pattern',
    })
  }
  switch (node.kind) {
    case 'character':
    case 'assertion':
      program.push(node)
      return
    case 'sequence':
      for (const part of node.parts) emit(part, program)
      return
    case 'alternatives':
      emitAlternatives(node.parts, program)
      return
    case 'repeat':
      emitRepeat(node.part, node.min, node.max, program)
  }
}

function emitAlternatives(parts: readonly PatternNode[], program: Instruction[]): void {
  const fork = reserve(program)
  const starts: number[] = []
  const exits: number[] = []
  for (const part of parts) {
    starts.push(program.length)
    emit(part, program)
    exits.push(reserve(program))
  }
  program[fork] = { kind: 'jump', targets: starts }
  for (const exit of exits) program[exit] = { kind: 'jump', targets: [program.length] }
}

function emitRepeat(
  part: PatternNode,
  min: number,
  max: number | undefined,
  program: Instruction[],
): void {
  for (let count = 0; count < min; count += 1) emit(part, program)
  if (max === undefined) {
    const loop = reserve(program)
    emit(part, program)
    program.push({ kind: 'jump', targets: [loop] })
    program[loop] = { kind: 'jump', targets: [loop + 1, program.length] }
    return
  }
  const skips: number[] = []
  for (let count = min; count < max; count += 1) {
    skips.push(reserve(program))
    emit(part, program)
  }
  for (const skip of skips) program[skip] = { kind: 'jump', targets: [skip + 1, program.length] }
}

/** A place whose jump is not known yet. */
function reserve(program: Instruction[]): number {
  return program.push({ kind: 'jump', targets: [] }) - 1
}

function run(program: readonly Instruction[], text: readonly string[]): boolean {
  let threads: readonly CharacterStep[] = []
  for (let position = 0; position <= text.length; position += 1) {
    // A match may begin anywhere, so the start is one of the threads at every position.
    const reached = follow(program, [0, ...threads.map(({ next }) => next)], text, position)
    if (reached === 'match') return true
    const character = text[position]
    if (character === undefined) return false
    threads = reached.filter(({ accepts }) => accepts(character))
  }
  return false
}

interface CharacterStep {
  readonly accepts: CharacterTest
  readonly next: number
}

/** Runs through jumps and assertions to the steps that want a character; each instruction is entered once. */
function follow(
  program: readonly Instruction[],
  starts: readonly number[],
  text: readonly string[],
  position: number,
): readonly CharacterStep[] | 'match' {
  const seen = new Set<number>()
  const steps: CharacterStep[] = []
  const stack = [...starts]
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    const instruction = program[index]
    if (instruction === undefined || seen.has(index)) continue
    seen.add(index)
    switch (instruction.kind) {
      case 'match':
        return 'match'
      case 'jump':
        stack.push(...instruction.targets)
        break
      case 'assertion':
        if (assertionHolds(instruction.assertion, text, position)) stack.push(index + 1)
        break
      case 'character':
        steps.push({ accepts: instruction.accepts, next: index + 1 })
    }
  }
  return steps
}

function assertionHolds(assertion: Assertion, text: readonly string[], position: number): boolean {
  const isAtBoundary = isWordCharacter(text[position - 1]) !== isWordCharacter(text[position])
  switch (assertion) {
    case 'textStart':
      return position === 0
    case 'textEnd':
      return position === text.length
    case 'lineStart':
      return position === 0 || text[position - 1] === '\n'
    case 'lineEnd':
      return position === text.length || text[position] === '\n'
    case 'wordBoundary':
      return isAtBoundary
    case 'noWordBoundary':
      return !isAtBoundary
  }
}
