import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { groupFromAnnotations, groupOf } from '../bootstrap/grouping.ts'

describe('shim grouping', () => {
  let bundle: string
  beforeEach(() => {
    bundle = mkdtempSync(join(tmpdir(), 'berth-grouping-'))
  })
  afterEach(() => {
    rmSync(bundle, { recursive: true })
  })

  const write = (config: unknown): void => {
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
  }

  it('is the id without annotations', () => {
    write({ ociVersion: '1.1.0' })
    assert.equal(groupOf(bundle, 'c1'), 'c1')
  })

  it('is the sandbox of a pod', () => {
    write({ annotations: { 'io.kubernetes.cri.sandbox-id': 'pod1' } })
    assert.equal(groupOf(bundle, 'c1'), 'pod1')
  })

  it('prefers the label of runc over the sandbox', () => {
    const annotations = {
      'io.kubernetes.cri.sandbox-id': 'pod1',
      'io.containerd.runc.v2.group': 'g',
    }
    assert.equal(groupFromAnnotations(annotations), 'g')
  })

  it('is the id when the name stands elsewhere in the document', () => {
    write({ hostname: 'io.kubernetes.cri.sandbox-id' })
    assert.equal(groupOf(bundle, 'c1'), 'c1')
  })

  it('says that config.json is missing', () => {
    assert.throws(() => groupOf(bundle, 'c1'), { code: 'notFound', message: /config\.json/ })
  })
})
