import assert from 'node:assert/strict'
import { parseCgroupPaths } from '../metrics/cgroup-paths.ts'

describe('cgroups(7) /proc/PID/cgroup', () => {
  it('finds each controller of version 1, also those that share a hierarchy', () => {
    const paths = parseCgroupPaths(
      '4:memory:/a\n2:cpu,cpuacct:/b\n1:name=systemd:/c\n0::/d\n',
      false,
    )
    assert.ok(paths.version === 1)
    assert.deepEqual(
      [...paths.directories],
      [
        ['memory', '/sys/fs/cgroup/memory/a'],
        ['cpu', '/sys/fs/cgroup/cpu/b'],
        ['cpuacct', '/sys/fs/cgroup/cpuacct/b'],
      ],
    )
  })

  it('finds the one directory of version 2', () => {
    const paths = parseCgroupPaths('0::/system.slice/c1\n', true)
    assert.deepEqual(paths, { version: 2, directory: '/sys/fs/cgroup/system.slice/c1' })
  })

  it('keeps a colon in a path', () => {
    const paths = parseCgroupPaths('0::/a:b\n', true)
    assert.deepEqual(paths, { version: 2, directory: '/sys/fs/cgroup/a:b' })
  })
})
