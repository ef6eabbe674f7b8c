import assert from 'node:assert/strict'
import { planApplyTarget } from '../apply-target.ts'
import { layerCompression } from '../layer-media-type.ts'

const mount = (type: string, source: string, options: string[]) => ({
  type,
  source,
  target: '',
  options,
})

describe('planApplyTarget', () => {
  it('writes into the upper directory of an overlay', () => {
    const options = ['workdir=/w', 'upperdir=/u', 'lowerdir=/b:/a', 'index=off']
    assert.deepEqual(planApplyTarget([mount('overlay', 'overlay', options)]), {
      directory: '/u',
      whiteouts: 'overlay',
      parents: ['/b', '/a'],
    })
  })

  it('removes for real in the source of a bind mount', () => {
    assert.deepEqual(planApplyTarget([mount('bind', '/s', ['rw', 'rbind'])]), {
      directory: '/s',
      whiteouts: 'remove',
      parents: [],
    })
  })

  it('refuses views', () => {
    const views = [mount('bind', '/s', ['ro', 'rbind']), mount('overlay', 'o', ['lowerdir=/b:/a'])]
    for (const view of views) {
      assert.throws(() => planApplyTarget([view]), { code: 'failedPrecondition' })
    }
  })

  it('refuses what it does not know', () => {
    const unknown = [
      [],
      [mount('ext4', '/dev/sda', [])],
      [mount('bind', '/a', []), mount('bind', '/b', [])],
    ]
    for (const mounts of unknown) {
      assert.throws(() => planApplyTarget(mounts), { code: 'unimplemented' })
    }
  })
})

describe('layerCompression', () => {
  it('reads plain OCI layers as they are, others by their first bytes', () => {
    assert.equal(layerCompression('application/vnd.oci.image.layer.v1.tar'), 'none')
    assert.equal(layerCompression('application/vnd.oci.image.layer.v1.tar+zstd'), 'auto')
    assert.equal(layerCompression('application/vnd.docker.image.rootfs.diff.tar.gzip'), 'auto')
  })

  it('refuses file system images (S-94) and names that are none', () => {
    const types = [
      'application/vnd.erofs.layer.v1',
      'application/vnd.oci.empty.v1+json',
      'toString',
      '',
    ]
    for (const type of types) assert.throws(() => layerCompression(type), { code: 'unimplemented' })
  })
})
