import assert from 'node:assert/strict'
import { applyFieldMask, type FieldUpdate } from '../field-mask.ts'
import { parseLabels, withLabel, type Labels } from '../labels.ts'

interface Thing {
  readonly labels: Labels
  readonly spec: string
}

const fields: Readonly<Record<string, FieldUpdate<Thing>>> = {
  labels: {
    whole: (current, { labels }) => ({ ...current, labels }),
    part: (current, { labels }, key) => ({
      ...current,
      labels: withLabel(current.labels, key, labels[key] ?? ''),
    }),
  },
  spec: { whole: (current, { spec }) => ({ ...current, spec }) },
}

const current: Thing = { labels: { 'a.b/c': '1', keep: 'me' }, spec: 'old' }
const wanted: Thing = { labels: { 'a.b/c': '2', other: 'x' }, spec: 'new' }

describe('applyFieldMask: containerd-behaviour.md §a', () => {
  it('replaces every mutable field without a mask', () => {
    assert.deepEqual(applyFieldMask('t', fields, current, wanted, []), wanted)
  })

  it('takes what follows the first dot as the key', () => {
    assert.deepEqual(applyFieldMask('t', fields, current, wanted, ['labels.a.b/c']), {
      labels: { 'a.b/c': '2', keep: 'me' },
      spec: 'old',
    })
  })

  it('empties a label that the request does not have', () => {
    const updated = applyFieldMask('t', fields, current, wanted, ['labels.keep'])
    assert.deepEqual(parseLabels(updated.labels), { 'a.b/c': '1' })
  })

  it('applies several paths', () => {
    const updated = applyFieldMask('t', fields, current, wanted, ['spec', 'labels.other'])
    assert.deepEqual(updated, { labels: { 'a.b/c': '1', keep: 'me', other: 'x' }, spec: 'new' })
  })

  for (const path of ['', 'nothing', 'spec.part', 'labels.', 'Labels', 'toString', '__proto__']) {
    it(`refuses the path ${JSON.stringify(path)}`, () => {
      assert.throws(() => applyFieldMask('t', fields, current, wanted, [path]), {
        code: 'invalidArgument',
        message: /want one of labels, labels.<key>, spec/,
      })
    })
  }
})

describe('parseLabels: containerd-behaviour.md §a', () => {
  it('allows 4096 bytes of key and value', () => {
    assert.doesNotThrow(() => parseLabels({ k: 'x'.repeat(4095) }))
  })

  it('refuses one more', () => {
    assert.throws(() => parseLabels({ k: 'x'.repeat(4096) }), { code: 'invalidArgument' })
  })

  it('counts bytes, not characters', () => {
    assert.throws(() => parseLabels({ k: 'ä'.repeat(2048) }), { code: 'invalidArgument' })
  })

  it('drops a label with an empty value', () => {
    assert.deepEqual(parseLabels({ a: '', b: '1' }), { b: '1' })
  })
})
