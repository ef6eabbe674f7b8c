import { PlatformError } from '../../proto/errors/platform-error.ts'
import { compilePattern, type Pattern } from './pattern.ts'

/** One `field`, `field==value`, `field!=value` or `field~=pattern`. */
export type Selector =
  | { readonly operator: 'present'; readonly path: readonly string[] }
  | {
      readonly operator: 'equal' | 'notEqual'
      readonly path: readonly string[]
      readonly value: string
    }
  | { readonly operator: 'matches'; readonly path: readonly string[]; readonly pattern: Pattern }

/** A filter is bounded like any other input of a client. */
const MAX_FILTER_CHARS = 16 * 1024

/**
 * Parses one filter string: selectors joined by commas, all of which must hold.
 *
 * @throws invalidArgument with the position of what could not be read
 * @see containerd-behaviour.md §a
 */
export function parseFilter(text: string): readonly Selector[] {
  if (text.length > MAX_FILTER_CHARS) {
    throw new PlatformError('invalidArgument', {
      action: 'parse filter',
      found: `${String(text.length)} characters`,
      wanted: `at most ${String(MAX_FILTER_CHARS)}`,
    })
  }
  if (text === '') return []
  return new FilterParser(text).parse()
}

const FIELD_CHARACTER = /[A-Za-z0-9_-]/
const BARE_VALUE_END = /[,\s"]/

class FilterParser {
  readonly #text: string
  #position = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): readonly Selector[] {
    const selectors = [this.#selector()]
    for (;;) {
      this.#skipSpace()
      if (this.#position === this.#text.length) return selectors
      if (this.#text[this.#position] !== ',') this.#fail('"," or the end of the filter')
      this.#position += 1
      selectors.push(this.#selector())
    }
  }

  /** White space separates, and means nothing otherwise. */
  #skipSpace(): void {
    while (/\s/.test(this.#text[this.#position] ?? '')) this.#position += 1
  }

  #selector(): Selector {
    this.#skipSpace()
    const path = this.#path()
    this.#skipSpace()
    const next = this.#text[this.#position]
    if (next === undefined || next === ',') return { operator: 'present', path }
    const operator = this.#text.slice(this.#position, this.#position + 2)
    switch (operator) {
      case '==':
        this.#position += 2
        return { operator: 'equal', path, value: this.#value(false) }
      case '!=':
        this.#position += 2
        return { operator: 'notEqual', path, value: this.#value(false) }
      case '~=':
        this.#position += 2
        return { operator: 'matches', path, pattern: compilePattern(this.#value(true)) }
      default:
        return this.#fail('one of "==", "!=", "~="')
    }
  }

  #path(): readonly string[] {
    const path = [this.#component()]
    while (this.#text[this.#position] === '.') {
      this.#position += 1
      path.push(this.#component())
    }
    return path
  }

  #component(): string {
    if (this.#text[this.#position] === '"') return this.#quoted('"')
    const start = this.#position
    while (this.#position < this.#text.length) {
      if (!FIELD_CHARACTER.test(this.#text[this.#position] ?? '')) break
      this.#position += 1
    }
    if (this.#position === start) this.#fail('a field name')
    return this.#text.slice(start, this.#position)
  }

  /** `/` and `|` quote only patterns, where then nothing else needs escaping. An empty value is `""`. */
  #value(isPattern: boolean): string {
    this.#skipSpace()
    const quote = this.#text[this.#position]
    if (quote === '"') return this.#quoted('"')
    if (isPattern && (quote === '/' || quote === '|')) return this.#quoted(quote)
    const start = this.#position
    while (this.#position < this.#text.length) {
      if (BARE_VALUE_END.test(this.#text[this.#position] ?? '')) break
      this.#position += 1
    }
    if (this.#position === start) this.#fail('a value')
    return this.#text.slice(start, this.#position)
  }

  #quoted(quote: '"' | '/' | '|'): string {
    const start = this.#position
    this.#position += 1
    let value = ''
    for (;;) {
      const character = this.#text[this.#position]
      if (character === undefined) {
        this.#position = start
        return this.#fail(`a closing ${quote}`)
      }
      this.#position += 1
      if (character === quote) return value
      value += character === '\\' ? this.#escape(quote) : character
    }
  }

  /** Inside `"` the escapes of a Go string; inside `/` and `|` only the quote itself, the rest is the pattern's. */
  #escape(quote: '"' | '/' | '|'): string {
    const character = this.#text[this.#position] ?? ''
    this.#position += 1
    if (quote !== '"') return character === quote ? character : `\\${character}`
    const simple = SIMPLE_ESCAPES[character]
    if (simple !== undefined) return simple
    const digits = { x: 2, u: 4, U: 8 }[character]
    if (digits === undefined) {
      this.#position -= 1
      return this.#fail('a known escape')
    }
    const code = this.#text.slice(this.#position, this.#position + digits)
    const codePoint = Number.parseInt(code, 16)
    if (code.length !== digits || !/^[0-9a-fA-F]+$/.test(code) || codePoint > 0x10ffff) {
      return this.#fail(`${String(digits)} hexadecimal digits`)
    }
    this.#position += digits
    return String.fromCodePoint(codePoint)
  }

  #fail(wanted: string): never {
    const rest = this.#text.slice(this.#position, this.#position + 20)
    throw new PlatformError('invalidArgument', {
      action: 'parse filter',
      subject: JSON.stringify(this.#text),
      step: `character ${String(this.#position + 1)}`,
      found: rest === '' ? 'the end' : JSON.stringify(rest),
      wanted,
    })
  }
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}
