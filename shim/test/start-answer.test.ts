import assert from 'node:assert/strict'
import { formatStartAnswer } from '../bootstrap/start.ts'

const ADDRESS = 'unix:///run/containerd/s/ab'

describe('what start prints', () => {
  for (const version of [undefined, '', 'x', '1']) {
    it(`is the bare address when MAX_SHIM_VERSION is ${String(version)} (containerd before 1.7)`, () => {
      assert.equal(formatStartAnswer(ADDRESS, version), ADDRESS)
    })
  }

  for (const [newest, version] of [
    ['2', 2],
    ['3', 3],
    ['9', 3],
  ] as const) {
    it(`is JSON with version ${String(version)} when MAX_SHIM_VERSION is ${newest}`, () => {
      assert.deepEqual(JSON.parse(formatStartAnswer(ADDRESS, newest)), {
        version,
        address: ADDRESS,
        protocol: 'ttrpc',
      })
    })
  }
})
