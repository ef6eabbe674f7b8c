import assert from 'node:assert/strict'
import { type ContainerRecord, encodeRecord, parseRecord } from '../record.ts'

const RECORD: ContainerRecord = {
  id: 'c1',
  ociVersion: '1.3.0',
  bundle: '/b',
  rootfs: '/b/rootfs',
  created: '2026-11-20T23:00:00.000Z',
  annotations: { a: 'b', __proto__x: '' },
  cgroupPaths: { memory: '/sys/fs/cgroup/memory/c1', '': '/sys/fs/cgroup/unified/c1' },
  init: { pid: 77, startTimeTicks: 123456789n, bootId: 'b' },
}

describe('container record', () => {
  it('comes back as it was written', () => {
    assert.deepEqual(parseRecord(encodeRecord(RECORD)), RECORD)
    const unborn = { ...RECORD, init: undefined }
    assert.deepEqual(parseRecord(encodeRecord(unborn)), unborn)
  })

  it('is readable where runc writes the same', () => {
    const json = JSON.parse(encodeRecord(RECORD)) as Record<string, unknown>
    assert.equal(json['init_process_pid'], 77)
    assert.equal(json['init_process_start'], 123456789)
    assert.deepEqual(json['cgroup_paths'], RECORD.cgroupPaths)
  })

  for (const [what, change] of [
    ['a later version', { version: 2 }],
    ['no version', { version: undefined }],
    ['a pid that is none', { init_process_pid: -1 }],
    ['a relative cgroup', { cgroup_paths: { memory: 'x' } }],
    ['a cgroup with a detour (S-22)', { cgroup_paths: { memory: '/sys/fs/cgroup/../../etc' } }],
    ['a relative bundle', { bundle: 'b' }],
  ] as const) {
    it(`refuses ${what}`, () => {
      const json = { ...(JSON.parse(encodeRecord(RECORD)) as object), ...change }
      assert.throws(() => parseRecord(JSON.stringify(json)), { code: 'invalidArgument' })
    })
  }

  it('refuses a file that was cut off', () => {
    const text = encodeRecord(RECORD)
    assert.throws(() => parseRecord(text.slice(0, -10)), { code: 'invalidArgument' })
  })
})
