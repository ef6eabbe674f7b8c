import assert from 'node:assert/strict'
import { resolveUser } from '../users.ts'

const DATABASE = {
  passwd: [
    'root:x:0:0:root:/root:/bin/sh',
    'alice:x:1001:1002::/home/alice:/bin/sh',
    '1000:x:0:0::/:/bin/sh',
    '4294967296:x:0:0::/:/bin/sh',
    'broken:x:-1:0',
    'short:x',
    '',
  ].join('\n'),
  group: ['root:x:0:', 'alice:x:1002:', 'staff:x:50:bob,alice', '77:x:0:'].join('\n'),
}

describe('security.md S-02, S-44: user of a container', () => {
  it('looks names up, with their group and the groups they are in', () => {
    assert.deepEqual(resolveUser('alice', DATABASE), {
      uid: 1001,
      gid: 1002,
      additionalGids: [1002, 50],
    })
  })

  it('takes digits as an id, also when the image has a user of that name', () => {
    assert.equal(resolveUser('1000', DATABASE).uid, 1000)
    assert.equal(resolveUser('0:77', DATABASE).gid, 77)
  })

  for (const digits of ['2147483648', '4294967295', '4294967296', '18446744073709551616']) {
    it(`refuses ${digits} and does not fall back to a name`, () => {
      assert.throws(() => resolveUser(digits, DATABASE), { code: 'invalidArgument' })
      assert.throws(() => resolveUser(`0:${digits}`, DATABASE), { code: 'invalidArgument' })
    })
  }

  it('gives a known id its own group, an unknown one group 0', () => {
    assert.equal(resolveUser('1001', DATABASE).gid, 1002)
    assert.equal(resolveUser('5', DATABASE).gid, 0)
  })

  it('takes an explicit group and no other', () => {
    const wanted = { uid: 1001, gid: 50, additionalGids: [50] }
    assert.deepEqual(resolveUser('alice:staff', DATABASE), wanted)
  })

  for (const name of ['nobody', 'broken', 'short', '-1', '0x0', ' 0', '+0']) {
    it(`does not know ${JSON.stringify(name)}`, () => {
      assert.throws(() => resolveUser(name, DATABASE), { code: 'notFound' })
    })
  }

  it('is root without a database', () => {
    assert.deepEqual(resolveUser('0', { passwd: '', group: '' }), {
      uid: 0,
      gid: 0,
      additionalGids: [0],
    })
  })
})
