import assert from 'node:assert/strict'
import { MOUNT_ATTR, MS } from '../kernel.ts'
import { parseMountOptions } from '../mount-options.ts'

describe('runtime-spec config.md#linux-mount-options', () => {
  it('takes attributes, propagation and file system data apart', () => {
    const options = parseMountOptions(['nosuid', 'noexec', 'rslave', 'mode=755', 'size=64k'], '/m')
    assert.deepEqual(options, {
      bind: 'none',
      attributes: { set: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC, clear: 0 },
      recursiveAttributes: { set: 0, clear: 0 },
      propagation: MS.SLAVE | MS.REC,
      data: ['mode=755', 'size=64k'],
    })
  })

  it('lets a later option win over an earlier one', () => {
    const options = parseMountOptions(['ro', 'rw'], '/m')
    assert.deepEqual(options.attributes, { set: 0, clear: MOUNT_ATTR.RDONLY })
  })

  it('treats the access time modes as one field', () => {
    const options = parseMountOptions(['noatime', 'strictatime'], '/m')
    assert.deepEqual(options.attributes, {
      set: MOUNT_ATTR.STRICTATIME,
      clear: MOUNT_ATTR.ATIME_MASK,
    })
  })

  for (const [option, attribute] of [
    ['rro', MOUNT_ATTR.RDONLY],
    ['rnosuid', MOUNT_ATTR.NOSUID],
    ['rnoexec', MOUNT_ATTR.NOEXEC],
  ] as const) {
    it(`takes ${option} as an attribute of everything below`, () => {
      const options = parseMountOptions(['rbind', option], '/m')
      assert.equal(options.bind, 'rbind')
      assert.deepEqual(options.recursiveAttributes, { set: attribute, clear: 0 })
    })
  }

  for (const option of ['tmpcopyup', 'idmap', 'ridmap', 'remount']) {
    it(`refuses ${option} by name and place instead of ignoring it`, () => {
      assert.throws(() => parseMountOptions(['ro', option], '/mounts/3'), {
        code: 'unimplemented',
        message: new RegExp(`/mounts/3/options/1: found the mount option ${option}`),
      })
    })
  }
})
