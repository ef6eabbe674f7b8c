import assert from 'node:assert/strict'
import { planMount } from '../mounts.ts'

describe('a mount of the root file system', () => {
  it('separates attributes from parameters', () => {
    const plan = planMount({
      type: 'overlay',
      options: ['ro', 'nosuid', 'index=off', 'userxattr', 'lowerdir=/a:/b'],
    })
    assert.deepEqual(plan, {
      kind: 'filesystem',
      isRecursive: false,
      attributes: { set: 0x3, clear: 0 },
      parameters: [
        { key: 'index', value: 'off' },
        { key: 'userxattr' },
        { key: 'lowerdir', value: '/a:/b' },
      ],
    })
  })

  it('binds with everything below for rbind', () => {
    const { kind, isRecursive } = planMount({ type: 'bind', options: ['rbind', 'rw'] })
    assert.deepEqual({ kind, isRecursive }, { kind: 'bind', isRecursive: true })
  })

  it('lets a later option win', () => {
    assert.deepEqual(planMount({ type: 'bind', options: ['ro', 'rw'] }).attributes, {
      set: 0,
      clear: 1,
    })
  })

  it('clears the other access times when one is chosen', () => {
    const { attributes } = planMount({ type: 'bind', options: ['noatime', 'strictatime'] })
    assert.deepEqual(attributes, { set: 0x20, clear: 0x70 })
  })

  it('keeps = signs in values', () => {
    assert.deepEqual(planMount({ type: 'tmpfs', options: ['size=64m', 'x=a=b'] }).parameters, [
      { key: 'size', value: '64m' },
      { key: 'x', value: 'a=b' },
    ])
  })
})
