/**
 * JSON text to values without losing integers: beyond 2^53 they become bigint (S-105).
 *
 * The engine's JSON.parse does the ordinary document. A document with long digit runs, or one that is
 * wrong, goes through the strict parser here, which keeps integers and knows line and column; neither
 * Node 20 nor Bun's JSON.parse gives both.
 */
import { PlatformError } from '../../proto/errors/platform-error.ts'

/** Larger documents are refused before they are parsed (R8). */
export const MAX_JSON_BYTES = 16 * 1024 * 1024

const MAX_DEPTH = 512

/**
 * @param document what the text is called in errors: `config.json`
 * @throws invalidArgument with line and column in `step`
 */
export function parseJson(text: string, document: string): unknown {
  if (text.length > MAX_JSON_BYTES) {
    throw new PlatformError('invalidArgument', {
      action: `parse ${document}`,
      found: `${text.length} characters`,
      wanted: `at most ${MAX_JSON_BYTES}`,
    })
  }
  if (!/\d{16}/.test(text)) {
    try {
      return JSON.parse(text)
    } catch {
      // The strict parser below finds the same mistake and says where it is.
    }
  }
  return new StrictParser(text, document).parse()
}

/** Sticky patterns of RFC 8259 tokens. */
const WHITESPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const PLAIN_STRING = /[^"\\\u0000-\u001f]*/y
const HEX4 = /[0-9a-fA-F]{4}/y

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class StrictParser {
  readonly #text: string
  readonly #document: string
  #at = 0

  constructor(text: string, document: string) {
    this.#text = text
    this.#document = document
  }

  parse(): unknown {
    const value = this.#value(0)
    this.#skipWhitespace()
    if (this.#at < this.#text.length) this.#fail('the end of the document')
    return value
  }

  #value(depth: number): unknown {
    if (depth > MAX_DEPTH) this.#fail(`at most ${MAX_DEPTH} levels of nesting`)
    this.#skipWhitespace()
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return this.#string()
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  #object(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = []
    this.#at += 1
    if (this.#take('}')) return {}
    do {
      this.#skipWhitespace()
      if (this.#text[this.#at] !== '"') this.#fail('a member name in double quotes')
      const key = this.#string()
      if (!this.#take(':')) this.#fail('":" after the member name')
      entries.push([key, this.#value(depth + 1)])
    } while (this.#take(','))
    if (!this.#take('}')) this.#fail('"," or "}"')
    // fromEntries defines own properties, so a member called __proto__ stays a harmless member.
    return Object.fromEntries(entries)
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = []
    this.#at += 1
    if (this.#take(']')) return items
    do {
      items.push(this.#value(depth + 1))
    } while (this.#take(','))
    if (!this.#take(']')) this.#fail('"," or "]"')
    return items
  }

  #string(): string {
    let result = ''
    this.#at += 1
    for (;;) {
      result += this.#match(PLAIN_STRING)?.[0] ?? ''
      const next = this.#text[this.#at]
      if (next === '"') {
        this.#at += 1
        return result
      }
      if (next !== '\\') this.#fail('a closing double quote')
      this.#at += 1
      result += this.#escape()
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? ''
    if (letter === 'u') {
      this.#at += 1
      const hex = this.#match(HEX4)
      if (hex === null) return this.#fail('four hexadecimal digits')
      return String.fromCharCode(Number.parseInt(hex[0], 16))
    }
    const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined
    if (plain === undefined) return this.#fail('an escape sequence of JSON')
    this.#at += 1
    return plain
  }

  #number(): number | bigint {
    const match = this.#match(NUMBER)
    if (match === null) return this.#fail('a value')
    const [digits, fraction, exponent] = match
    const value = Number(digits)
    const isInteger = fraction === undefined && exponent === undefined
    return isInteger && !Number.isSafeInteger(value) ? BigInt(digits) : value
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('a value')
    this.#at += word.length
    return value
  }

  #take(character: string): boolean {
    this.#skipWhitespace()
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #skipWhitespace(): void {
    this.#match(WHITESPACE)
  }

  #match(sticky: RegExp): RegExpExecArray | null {
    sticky.lastIndex = this.#at
    const match = sticky.exec(this.#text)
    if (match !== null) this.#at += match[0].length
    return match
  }

  #fail(wanted: string): never {
    const before = this.#text.slice(0, this.#at)
    const line = before.split('\n').length
    const column = this.#at - before.lastIndexOf('\n')
    const character = this.#text.codePointAt(this.#at)
    throw new PlatformError('invalidArgument', {
      action: `parse ${this.#document} as JSON`,
      step: `line ${line} column ${column}`,
      found:
        character === undefined
          ? 'the end of the document'
          : JSON.stringify(String.fromCodePoint(character)),
      wanted,
    })
  }
}
