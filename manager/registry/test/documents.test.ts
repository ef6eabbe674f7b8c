import assert from 'node:assert/strict'
import { OCI_INDEX, OCI_MANIFEST, parseImageConfig, parseManifest } from '../documents.ts'

const digest = `sha256:${'0'.repeat(64)}`
const config = { mediaType: 'c', digest, size: 2 }

function parse(document: unknown, mediaType: string = OCI_MANIFEST) {
  const text = typeof document === 'string' ? document : JSON.stringify(document)
  return parseManifest(Buffer.from(text), mediaType, 'it')
}

describe('image-spec manifest.md', () => {
  it('reads config and layers', () => {
    const manifest = parse({ config, layers: [{ ...config, size: 7 }] })
    assert.equal(manifest.kind, 'manifest')
    assert.deepEqual(
      manifest.layers.map(({ sizeBytes }) => sizeBytes),
      [7],
    )
  })

  it('reads an index with platforms', () => {
    const platform = { os: 'linux', architecture: 'arm', variant: 'v7' }
    const index = parse({ manifests: [{ ...config, platform }] }, OCI_INDEX)
    assert.equal(index.kind, 'index')
    assert.deepEqual(index.manifests[0]?.platform, platform)
  })

  it('refuses a document of a kind it does not know', () => {
    assert.throws(() => parse({ config }, 'application/vnd.docker.distribution.manifest.v1+json'), {
      code: 'unimplemented',
    })
  })

  const malformed: readonly (readonly [string, unknown])[] = [
    ['manifest and index at once (S-41)', { config, layers: [], manifests: [] }],
    ['another media type than announced (S-41)', { mediaType: OCI_INDEX, config, layers: [] }],
    ['no config', { layers: [] }],
    ['no layers', { config }],
    ['a list', []],
    ['trailing garbage', '{} {}'],
    ['a byte order mark', '\ufeff{}'],
    ['a negative size (S-87)', { config: { ...config, size: -1 }, layers: [] }],
    ['a size as text (S-87)', { config: { ...config, size: '12' }, layers: [] }],
    ['a size beyond counting (S-87)', { config: { ...config, size: 2 ** 53 }, layers: [] }],
    ['an endless size (S-87)', '{"config":{"mediaType":"c","digest":"","size":1e309}}'],
    [
      'a digest that is a path (S-86)',
      { config: { ...config, digest: 'sha256:../x' }, layers: [] },
    ],
    ['more layers than can be mounted (S-91)', { config, layers: Array(501).fill(config) }],
  ]
  for (const [name, document] of malformed) {
    it(`refuses ${name}`, () => {
      assert.throws(() => parse(document), { code: 'invalidArgument' })
    })
  }
})

describe('image-spec config.md', () => {
  it('reads the diffIDs', () => {
    const bytes = Buffer.from(JSON.stringify({ rootfs: { type: 'layers', diff_ids: [digest] } }))
    assert.deepEqual(parseImageConfig(bytes, 'it').diffIds, [digest])
  })

  it('refuses a config without them', () => {
    assert.throws(() => parseImageConfig(Buffer.from('{"rootfs":{}}'), 'it'), {
      code: 'invalidArgument',
    })
  })
})
