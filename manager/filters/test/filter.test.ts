import assert from 'node:assert/strict'
import { lookupLabel, presentString, type FieldLookup } from '../adaptor.ts'
import { parseFilters } from '../filter.ts'

const labels = { env: 'prod', 'a.b/c': 'x,y', quote: 'say "hi"', tab: 'a\tb', empty: '' }
const image: FieldLookup = ([field, ...rest]) => {
  if (field === 'name') return presentString('docker.io/library/busybox:1.36')
  if (field === 'topic') return '/tasks/start'
  if (field === 'target') return rest[0] === 'digest' ? 'sha256:abc' : undefined
  return field === 'labels' ? lookupLabel(labels, rest) : undefined
}

describe('filters: containerd-behaviour.md §a', () => {
  const matching = [
    ['name'],
    ['labels.env'],
    ['labels."env"'],
    ['labels.env==prod'],
    ['labels.env=="prod"'],
    ['labels.env!=dev'],
    ['labels.nothing!=dev'],
    ['labels."a.b/c"=="x,y"'],
    ['labels.quote=="say \\"hi\\""'],
    ['labels.tab=="a\\tb"'],
    ['labels.tab=="a\\x09b"'],
    ['labels.tab=="\\u0061\\tb"'],
    ['name==docker.io/library/busybox:1.36'],
    ['name~=busybox'],
    ['name~="^docker\\\\.io/"'],
    ['name~=/^docker\\.io\\/library\\//'],
    ['topic~=|^/tasks/|'],
    ['topic~=|start$|,name~=|busybox|'],
    ['target.digest==sha256:abc'],
    ['name==nothing', 'labels.env==prod'],
    [' labels.env == prod , topic != x '],
    [],
  ]
  for (const texts of matching) {
    it(`selects by ${JSON.stringify(texts)}`, () => {
      assert.equal(parseFilters(texts)(image), true)
    })
  }

  const other = [
    ['nothing'],
    ['labels.nothing'],
    ['labels.env==dev'],
    ['labels.env!=prod'],
    ['labels.env==prod,name==nothing'],
    ['name~=^library'],
    ['target'],
    ['name==nothing', 'labels.env==dev'],
  ]
  for (const texts of other) {
    it(`does not select by ${JSON.stringify(texts)}`, () => {
      assert.equal(parseFilters(texts)(image), false)
    })
  }

  const malformed = [
    'a b',
    'a==b c',
    'a== ',
    'a=b',
    'a==',
    'a==b,',
    ',a',
    '.a',
    'a.',
    'a."b',
    'a=="b',
    'a~=/b',
    'a~=|b',
    'a=="\\q"',
    'a=="\\x4"',
    'a~="("',
    'a~="*"',
    'a~="(?=b)"',
    'a~="\\\\1"',
    'a~="x{2000}"',
    'a=="b"c',
  ]
  for (const text of malformed) {
    it(`refuses ${text}`, () => {
      assert.throws(() => parseFilters([text]), { code: 'invalidArgument' })
    })
  }

  it('says where a filter cannot be read', () => {
    assert.throws(() => parseFilters(['name=busybox']), {
      message: /at character 5: found "=busybox", want one of "==", "!=", "~="/,
    })
  })

  it('refuses a filter that is longer than any client needs', () => {
    assert.throws(() => parseFilters([`name==${'x'.repeat(20_000)}`]), { code: 'invalidArgument' })
  })
})
