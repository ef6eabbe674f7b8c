import assert from 'node:assert/strict'
import { compilePattern } from '../pattern.ts'

/** Pattern, text, whether it matches: checked against V8's own engine as well. */
const SAME_AS_REGEXP: readonly (readonly [string, string])[] = [
  ['', ''],
  ['', 'x'],
  ['abc', 'xabcx'],
  ['^abc$', 'abc'],
  ['^abc$', 'abcd'],
  ['a|b|', 'zzz'],
  ['^(a|b)+c$', 'ababc'],
  ['^(a|b)+c$', 'ababd'],
  ['^a*$', ''],
  ['^a+$', ''],
  ['^a?b$', 'b'],
  ['^a{2,3}$', 'aa'],
  ['^a{2,3}$', 'aaaa'],
  ['^a{2}$', 'aa'],
  ['^a{2,}$', 'aaaaa'],
  ['^a{0}$', ''],
  ['a{b', 'a{b'],
  ['^(?:ab)*$', 'ababab'],
  ['^(?:ab)*?$', 'aba'],
  ['[a-c]+', 'xxb'],
  ['^[^a-c]+$', 'xyz'],
  ['^[^a-c]+$', 'xaz'],
  ['^[\\w.-]+$', 'a_b.c-d'],
  ['^[a\\]]+$', 'a]'],
  ['^[a-]+$', 'a-a'],
  ['\\d\\D\\s\\S\\w\\W', '1x xa-'],
  ['\\bfoo\\b', 'a foo b'],
  ['\\bfoo\\b', 'afoo b'],
  ['\\Boo', 'foo'],
  ['^.$', '\n'],
  ['a.c', 'abc'],
  ['\\.', 'abc'],
  ['\\x41', 'A'],
  ['(a*)*b', 'aaac'],
  ['(a*)+$', 'aab'],
  ['x*y*z*', ''],
]

describe('compilePattern', () => {
  for (const [source, text] of SAME_AS_REGEXP) {
    it(`agrees with RegExp on /${source}/ and ${JSON.stringify(text)}`, () => {
      assert.equal(compilePattern(source).test(text), new RegExp(source).test(text))
    })
  }

  const re2: readonly (readonly [string, string, boolean])[] = [
    ['(?i)ABC', 'xabcx', true],
    ['a(?i)b(?-i)c', 'aBc', true],
    ['a(?i)b(?-i)c', 'aBC', false],
    ['(?i:A)b', 'aB', false],
    ['(?s)^.$', '\n', true],
    ['(?m)^b$', 'a\nb\nc', true],
    ['^b$', 'a\nb\nc', false],
    ['\\Aab\\z', 'ab', true],
    ['(?P<name>a)(?<other>b)', 'ab', true],
    ['[[:digit:]]+[[:^digit:]]', '12x', true],
    ['^\\p{Lu}\\pL\\P{L}$', 'Äß1', true],
    ['\\p{Greek}', 'ω', true],
    ['\\x{1F600}', '😀', true],
    ['^.$', '😀', true],
  ]
  for (const [source, text, matches] of re2) {
    it(`reads RE2's ${source}: ${JSON.stringify(text)} ${matches ? 'matches' : 'does not match'}`, () => {
      assert.equal(compilePattern(source).test(text), matches)
    })
  }

  it('does not backtrack: hostile patterns end', () => {
    const text = `${'a'.repeat(5000)}!`
    for (const source of ['^(a+)+$', '^(a|a)*$', '^(a*)*$', '^(a|aa)+$', '(x+x+)+y']) {
      assert.equal(compilePattern(source).test(text), false)
    }
  })

  for (const source of ['((a{100}){100}){100}', '('.repeat(300), '[b-a]', '[a', '\\', '\\k']) {
    it(`refuses ${source.slice(0, 20)}`, () => {
      assert.throws(() => compilePattern(source), { code: 'invalidArgument' })
    })
  }
})
