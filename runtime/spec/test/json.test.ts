import assert from 'node:assert/strict'
import { parseJson } from '../json.ts'

/** A long number in the document sends it through the strict parser. */
const LONG = '1234567890123456789'

describe('parseJson', () => {
  for (const [text, value] of [
    ['9223372036854775807', 9223372036854775807n],
    ['18446744073709551615', 18446744073709551615n],
    ['-9223372036854775808', -9223372036854775808n],
    ['9007199254740993', 9007199254740993n],
    ['9007199254740991', 9007199254740991],
  ] as const) {
    it(`keeps ${text} exactly`, () => {
      assert.deepEqual(parseJson(`{"a":[${text}]}`, 'x'), { a: [value] })
    })
  }

  it('leaves digits in strings alone', () => {
    assert.deepEqual(parseJson(`["${LONG}", ${LONG}]`, 'x'), [LONG, BigInt(LONG)])
  })

  for (const text of [
    '{"a":{"b":[1,-2.5,3e2,"t\\u00e9\\n\\"\\\\\\/",true,false,null]},"":{}}',
    ' [ ] ',
    '"\u{1f600}"',
    '{"a":1,"a":2}',
  ]) {
    it(`agrees with JSON.parse on ${JSON.stringify(text)}`, () => {
      const strict = parseJson(`[${text},${LONG}]`, 'x')
      assert.deepEqual(strict, [JSON.parse(text), BigInt(LONG)])
    })
  }

  it('keeps a member called __proto__ a member', () => {
    for (const text of ['{"__proto__":{"x":1}}', `{"__proto__":{"x":1},"b":${LONG}}`]) {
      const value = parseJson(text, 'x') as { x?: unknown }
      assert.equal(value.x, undefined)
      assert.equal(Object.getPrototypeOf(value), Object.prototype)
    }
    assert.equal(({} as { x?: unknown }).x, undefined)
  })

  for (const [text, step, found] of [
    ['', 'line 1 column 1', 'the end of the document'],
    ['{\n  "a": tru\n}', 'line 2 column 8', '"t"'],
    ['{"a":1,}', 'line 1 column 8', '"}"'],
    ['[1 2]', 'line 1 column 4', '"2"'],
    ['{"a" 1}', 'line 1 column 6', '"1"'],
    ['"ab', 'line 1 column 4', 'the end of the document'],
    ['"a\u0001"', 'line 1 column 3', '"\\u0001"'],
    ['"\\x"', 'line 1 column 3', '"x"'],
    ['[01]', 'line 1 column 3', '"1"'],
    ['\ufeff{}', 'line 1 column 1', '"\ufeff"'],
    ['{} x', 'line 1 column 4', '"x"'],
  ] as const) {
    it(`says where ${JSON.stringify(text)} is wrong`, () => {
      assert.throws(
        () => parseJson(text, 'config.json'),
        (error: { code: string; facts: object; message: string }) => {
          assert.equal(error.code, 'invalidArgument')
          assert.match(error.message, /^parse config\.json as JSON at line/)
          const { step: foundStep, found: foundText } = error.facts as Record<string, string>
          assert.deepEqual([foundStep, foundText], [step, found])
          return true
        },
      )
    })
  }

  it('refuses nesting that would exhaust the stack', () => {
    assert.throws(() => parseJson(`${'['.repeat(100_000)}${LONG}`, 'x'), /levels of nesting/)
  })
})
