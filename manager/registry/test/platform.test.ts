import assert from 'node:assert/strict'
import { parseDigest } from '../../content/digest.ts'
import type { ContentDescriptor, ImagePlatform } from '../documents.ts'
import { choosePlatform, hostPlatform } from '../platform.ts'

function descriptor(platform: ImagePlatform | undefined, fill: string): ContentDescriptor {
  const digest = parseDigest(`sha256:${fill.repeat(64)}`)
  return { mediaType: 'm', digest, sizeBytes: 1, platform, annotations: {} }
}

function platform(text: string): ImagePlatform {
  const [os = '', architecture = '', variant = ''] = text.split('/')
  return { os, architecture, variant }
}

function choose(offered: readonly (string | undefined)[], wanted: string): number {
  const manifests = offered.map((text, index) =>
    descriptor(text === undefined ? undefined : platform(text), index.toString(16)),
  )
  const chosen = choosePlatform({ kind: 'index', manifests }, platform(wanted), 'r/a:1')
  return manifests.indexOf(chosen)
}

describe('image-spec image-index.md: choosing a platform', () => {
  it('takes the manifest of the same system and architecture', () => {
    assert.equal(choose(['linux/arm64', 'windows/amd64', 'linux/amd64'], 'linux/amd64'), 2)
  })

  it('takes no variant for the first one', () => {
    assert.equal(choose(['linux/arm64/v8'], 'linux/arm64'), 0)
    assert.equal(choose(['linux/amd64/v3', 'linux/amd64/v1'], 'linux/amd64'), 1)
  })

  it('passes attestations over', () => {
    assert.equal(choose(['unknown/unknown', 'linux/amd64'], 'linux/amd64'), 1)
  })

  it('takes the only manifest when it names no platform', () => {
    assert.equal(choose([undefined], 'linux/amd64'), 0)
  })

  it('says what there is when nothing fits', () => {
    assert.throws(() => choose(['linux/arm/v6', 'linux/s390x', undefined], 'linux/amd64'), {
      code: 'notFound',
      message:
        'choose the platform of image r/a:1: found linux/arm/v6, linux/s390x, one without a platform, want linux/amd64',
    })
  })

  it('calls architectures as Go does', () => {
    assert.equal(hostPlatform('x64').architecture, 'amd64')
  })
})
