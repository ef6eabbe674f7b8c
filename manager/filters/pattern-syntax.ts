import { PlatformError } from '../../proto/errors/platform-error.ts'

/** Accepts one character, given as a string of one code point. */
export type CharacterTest = (character: string) => boolean

export type Assertion =
  'textStart' | 'textEnd' | 'lineStart' | 'lineEnd' | 'wordBoundary' | 'noWordBoundary'

export type PatternNode =
  | { readonly kind: 'character'; readonly accepts: CharacterTest }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'alternatives'; readonly parts: readonly PatternNode[] }
  | {
      readonly kind: 'repeat'
      readonly part: PatternNode
      readonly min: number
      /** Undefined: without end. */
      readonly max: number | undefined
    }

interface Flags {
  readonly ignoreCase: boolean
  readonly multiLine: boolean
  readonly dotAll: boolean
}

const MAX_REPEAT = 1000
const MAX_DEPTH = 200

/**
 * Parses a pattern in the syntax Go's clients write (RE2): no back references, no look-around.
 *
 * @throws invalidArgument
 * @see https://github.com/google/re2/wiki/Syntax
 */
export function parsePattern(text: string): PatternNode {
  const parser = new PatternParser(text)
  return parser.parse()
}

const DIGIT: CharacterTest = (c) => c >= '0' && c <= '9'
const WORD: CharacterTest = (c) => /^[A-Za-z0-9_]$/.test(c)
const SPACE: CharacterTest = (c) => /^[\t\n\f\r ]$/.test(c)
const not =
  (test: CharacterTest): CharacterTest =>
  (c) =>
    !test(c)

const CLASS_ESCAPES: Readonly<Record<string, CharacterTest>> = {
  d: DIGIT,
  D: not(DIGIT),
  w: WORD,
  W: not(WORD),
  s: SPACE,
  S: not(SPACE),
}

const ASSERTION_ESCAPES: Readonly<Record<string, Assertion>> = {
  A: 'textStart',
  z: 'textEnd',
  b: 'wordBoundary',
  B: 'noWordBoundary',
}

const LITERAL_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

const POSIX_CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /^[0-9A-Za-z]$/,
  alpha: /^[A-Za-z]$/,
  digit: /^[0-9]$/,
  lower: /^[a-z]$/,
  upper: /^[A-Z]$/,
  space: /^[\t\n\v\f\r ]$/,
  punct: /^[!-/:-@[-`{-~]$/,
  word: /^[0-9A-Za-z_]$/,
  xdigit: /^[0-9A-Fa-f]$/,
}

export function isWordCharacter(character: string | undefined): boolean {
  return character !== undefined && WORD(character)
}

class PatternParser {
  readonly #characters: readonly string[]
  #position = 0
  #depth = 0
  #flags: Flags = { ignoreCase: false, multiLine: false, dotAll: false }

  constructor(text: string) {
    this.#characters = Array.from(text)
  }

  parse(): PatternNode {
    const node = this.#alternatives()
    if (this.#peek() !== undefined) this.#fail('a pattern without a stray ")"')
    return node
  }

  #alternatives(): PatternNode {
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) this.#fail(`at most ${String(MAX_DEPTH)} groups in each other`)
    const parts = [this.#sequence()]
    while (this.#take('|')) parts.push(this.#sequence())
    this.#depth -= 1
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only : { kind: 'alternatives', parts }
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = []
    for (;;) {
      const next = this.#peek()
      if (next === undefined || next === '|' || next === ')') return { kind: 'sequence', parts }
      parts.push(this.#repeated(this.#atom()))
    }
  }

  #repeated(atom: PatternNode): PatternNode {
    let node = atom
    for (;;) {
      const bounds = this.#repeatBounds()
      if (bounds === undefined) return node
      // Lazy or greedy makes no difference to whether there is a match.
      this.#take('?')
      node = { kind: 'repeat', part: node, ...bounds }
    }
  }

  #repeatBounds(): { min: number; max: number | undefined } | undefined {
    if (this.#take('*')) return { min: 0, max: undefined }
    if (this.#take('+')) return { min: 1, max: undefined }
    if (this.#take('?')) return { min: 0, max: 1 }
    const braces = /^\{(\d{1,5})(,(\d{0,5}))?\}/.exec(this.#rest(16))
    if (braces === null) return undefined
    const min = Number(braces[1])
    const max = braces[2] === undefined ? min : braces[3] === '' ? undefined : Number(braces[3])
    if (min > MAX_REPEAT || (max !== undefined && (max > MAX_REPEAT || max < min))) {
      this.#fail(`a repeat count of at most ${String(MAX_REPEAT)}`)
    }
    this.#position += braces[0].length
    return { min, max }
  }

  #atom(): PatternNode {
    const character = this.#next('a pattern')
    switch (character) {
      case '(':
        return this.#group()
      case '[':
        return this.#fold(this.#bracketClass())
      case '.': {
        const { dotAll } = this.#flags
        return { kind: 'character', accepts: (c) => dotAll || c !== '\n' }
      }
      case '^':
        return { kind: 'assertion', assertion: this.#flags.multiLine ? 'lineStart' : 'textStart' }
      case '$':
        return { kind: 'assertion', assertion: this.#flags.multiLine ? 'lineEnd' : 'textEnd' }
      case '\\':
        return this.#escape()
      case '*':
      case '+':
      case '?':
        this.#position -= 1
        return this.#fail('something to repeat')
      default:
        return this.#fold((c) => c === character)
    }
  }

  #group(): PatternNode {
    const outer = this.#flags
    if (this.#take('?')) {
      const named = /^P?<[A-Za-z_][A-Za-z0-9_]*>/.exec(this.#rest(80))
      if (named !== null) {
        this.#position += named[0].length
      } else {
        const flags = /^([ims]*)(?:-([ims]+))?([:)])/.exec(this.#rest(12))
        if (flags === null) return this.#fail('a group of the RE2 syntax (no look-around)')
        this.#position += flags[0].length
        this.#setFlags(flags[1] ?? '', true)
        this.#setFlags(flags[2] ?? '', false)
        // Without ":" the flags hold for the rest of the enclosing group, which restores them.
        if (flags[3] === ')') return { kind: 'sequence', parts: [] }
      }
    }
    const node = this.#alternatives()
    if (!this.#take(')')) this.#fail('a closing ")"')
    this.#flags = outer
    return node
  }

  #setFlags(letters: string, value: boolean): void {
    this.#flags = {
      ignoreCase: letters.includes('i') ? value : this.#flags.ignoreCase,
      multiLine: letters.includes('m') ? value : this.#flags.multiLine,
      dotAll: letters.includes('s') ? value : this.#flags.dotAll,
    }
  }

  #escape(): PatternNode {
    const character = this.#peek()
    const assertion = character === undefined ? undefined : ASSERTION_ESCAPES[character]
    if (assertion !== undefined) {
      this.#position += 1
      return { kind: 'assertion', assertion }
    }
    const escaped = this.#classEscape()
    if (typeof escaped !== 'string') return { kind: 'character', accepts: escaped }
    return this.#fold((c) => c === escaped)
  }

  /** A class, or the literal character an escape stands for. */
  #classEscape(): CharacterTest | string {
    const character = this.#next('an escaped character')
    const test = CLASS_ESCAPES[character]
    if (test !== undefined) return test
    const literal = LITERAL_ESCAPES[character]
    if (literal !== undefined) return literal
    if (character === 'p' || character === 'P') return this.#unicodeClass(character === 'P')
    if (character === 'x') return this.#hexadecimal()
    if (/^[A-Za-z0-9]$/.test(character)) {
      this.#position -= 1
      return this.#fail('a known escape (no back references)')
    }
    return character
  }

  #unicodeClass(negated: boolean): CharacterTest {
    const name = /^(?:\{([A-Za-z_]+)\}|([A-Z]))/.exec(this.#rest(40))
    if (name === null) return this.#fail('a Unicode class')
    this.#position += name[0].length
    const expression = this.#unicodeExpression(name[1] ?? name[2] ?? '')
    return (c) => expression.test(c) !== negated
  }

  #unicodeExpression(name: string): RegExp {
    for (const source of [`^\\p{${name}}$`, `^\\p{Script=${name}}$`]) {
      try {
        return new RegExp(source, 'u')
      } catch {
        // Not a property of this kind; the next may know it.
      }
    }
    return this.#fail('a known Unicode class')
  }

  #hexadecimal(): string {
    const digits = /^(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/.exec(this.#rest(10))
    const codePoint = Number.parseInt(digits?.[1] ?? digits?.[2] ?? '', 16)
    if (digits === null || codePoint > 0x10ffff) return this.#fail('a hexadecimal character code')
    this.#position += digits[0].length
    return String.fromCodePoint(codePoint)
  }

  #bracketClass(): CharacterTest {
    const negated = this.#take('^')
    const tests: CharacterTest[] = []
    for (let isFirst = true; ; isFirst = false) {
      if (!isFirst && this.#take(']')) break
      tests.push(this.#bracketItem())
    }
    return (c) => tests.some((test) => test(c)) !== negated
  }

  #bracketItem(): CharacterTest {
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.#rest(16))
    const expression = posix === null ? undefined : POSIX_CLASSES[posix[2] ?? '']
    if (posix !== null && expression !== undefined) {
      this.#position += posix[0].length
      const negated = posix[1] === '^'
      return (c) => expression.test(c) !== negated
    }
    const low = this.#bracketCharacter()
    if (typeof low !== 'string') return low
    if (this.#peek() !== '-' || this.#characters[this.#position + 1] === ']')
      return (c) => c === low
    this.#position += 1
    const high = this.#bracketCharacter()
    if (typeof high !== 'string' || codePointOf(high) < codePointOf(low)) {
      return this.#fail('a range from low to high')
    }
    return (c) => codePointOf(c) >= codePointOf(low) && codePointOf(c) <= codePointOf(high)
  }

  #bracketCharacter(): CharacterTest | string {
    const character = this.#next('a closing "]"')
    return character === '\\' ? this.#classEscape() : character
  }

  #fold(test: CharacterTest): PatternNode {
    if (!this.#flags.ignoreCase) return { kind: 'character', accepts: test }
    return {
      kind: 'character',
      accepts: (c) => test(c) || test(c.toLowerCase()) || test(c.toUpperCase()),
    }
  }

  #peek(): string | undefined {
    return this.#characters[this.#position]
  }

  #rest(length: number): string {
    return this.#characters.slice(this.#position, this.#position + length).join('')
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false
    this.#position += 1
    return true
  }

  #next(wanted: string): string {
    const character = this.#peek()
    if (character === undefined) return this.#fail(wanted)
    this.#position += 1
    return character
  }

  #fail(wanted: string): never {
    const rest = this.#rest(20)
    throw new PlatformError('invalidArgument', {
      action: 'parse pattern',
      subject: JSON.stringify(this.#characters.join('')),
      step: `character ${String(this.#position + 1)}`,
      found: rest === '' ? 'the end' : JSON.stringify(rest),
      wanted,
    })
  }
}

function codePointOf(character: string): number {
  return character.codePointAt(0) ?? 0
}
