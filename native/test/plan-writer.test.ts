import assert from 'node:assert/strict'
import { encodePlan } from '../generated/operations.ts'
import { OPERATIONS } from '../operations/table.ts'

function codeOf(name: string): number {
  return OPERATIONS.findIndex((operation) => operation.name === name)
}

describe('plan encoding', () => {
  it('starts with the magic, the version and the number of operations', () => {
    const view = Buffer.from(encodePlan([{ op: 'newSession' }]))
    assert.equal(view.subarray(0, 3).toString(), 'BPL')
    assert.equal(view.readUInt8(3), 1)
    assert.equal(view.readUInt32LE(4), 1)
    assert.equal(view.readUInt32LE(8), codeOf('newSession'))
    assert.equal(view.byteLength, 12)
  })

  it('writes a text with its length in bytes and a final NUL', () => {
    const view = Buffer.from(encodePlan([{ op: 'setHostname', name: 'hé' }]))
    assert.equal(view.readUInt32LE(12), 3)
    assert.deepEqual([...view.subarray(16)], [0x68, 0xc3, 0xa9, 0])
  })

  it('keeps 64 bits exact', () => {
    const unlimited = 18446744073709551615n
    const view = Buffer.from(
      encodePlan([{ op: 'setRlimit', resource: 7, soft: 9007199254740993n, hard: unlimited }]),
    )
    assert.equal(view.readBigUInt64LE(16), 9007199254740993n)
    assert.equal(view.readBigUInt64LE(24), unlimited)
  })

  it('grows beyond its first buffer', () => {
    const env = Array.from({ length: 5000 }, (_, index) => `NAME_${String(index)}=value`)
    const view = Buffer.from(encodePlan([{ op: 'execute', argv: ['sh'], env }]))
    assert.ok(view.includes('NAME_4999=value\0'))
  })

  it('refuses a NUL inside a text, which init would see as its end', () => {
    assert.throws(() => encodePlan([{ op: 'setHostname', name: 'a\0b' }]), {
      code: 'invalidArgument',
    })
  })

  it('refuses a plan beyond the limit instead of truncating it (S-09)', () => {
    const name = 'x'.repeat(17 * 1024 * 1024)
    assert.throws(() => encodePlan([{ op: 'setHostname', name }]), { code: 'resourceExhausted' })
  })
})
