import assert from 'node:assert/strict'
import { planMountList, type MountListInput } from '../mount-list.ts'

const base: MountListInput = {
  kind: 'active',
  upperDir: '/s/3/fs',
  workDir: '/s/3/work',
  lowerDirs: ['/s/2/fs', '/s/1/fs'],
  hasIndexOption: true,
}

function plan(changes: Partial<MountListInput>) {
  return planMountList({ ...base, ...changes })
}

describe('containerd-behaviour.md §e: mounts of a snapshot', () => {
  it('binds an active snapshot without parents', () => {
    assert.deepEqual(plan({ lowerDirs: [] }), [
      { type: 'bind', source: '/s/3/fs', target: '', options: ['rw', 'rbind'] },
    ])
  })

  it('binds a view without parents read-only', () => {
    assert.deepEqual(plan({ kind: 'view', lowerDirs: [] }), [
      { type: 'bind', source: '/s/3/fs', target: '', options: ['ro', 'rbind'] },
    ])
  })

  it('binds the only parent of a view', () => {
    assert.deepEqual(plan({ kind: 'view', lowerDirs: ['/s/1/fs'] }), [
      { type: 'bind', source: '/s/1/fs', target: '', options: ['ro', 'rbind'] },
    ])
  })

  it('lays an active snapshot over its parents, nearest first', () => {
    assert.deepEqual(plan({}), [
      {
        type: 'overlay',
        source: 'overlay',
        target: '',
        options: ['workdir=/s/3/work', 'upperdir=/s/3/fs', 'lowerdir=/s/2/fs:/s/1/fs', 'index=off'],
      },
    ])
  })

  it('shows a view of several parents without an upper directory', () => {
    assert.deepEqual(plan({ kind: 'view' })[0]?.options, ['lowerdir=/s/2/fs:/s/1/fs', 'index=off'])
  })

  it('leaves the index option out where the kernel has none', () => {
    assert.deepEqual(plan({ kind: 'view', hasIndexOption: false })[0]?.options, [
      'lowerdir=/s/2/fs:/s/1/fs',
    ])
  })
})
