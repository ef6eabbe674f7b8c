import assert from 'node:assert/strict'
import { resolveCgroupPaths } from '../cgroup-path.ts'
import { parseCgroupHost } from '../hierarchies.ts'

const HYBRID_MOUNTS = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`
const HYBRID_MEMBERSHIP = '3:name=systemd:/s\n2:memory:/a/b\n1:cpu,cpuacct:/\n0::/u\n'

const V2_MOUNTS = '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n'

describe('parseCgroupHost', () => {
  it('finds the hierarchies of a hybrid host', () => {
    const host = parseCgroupHost(HYBRID_MOUNTS, HYBRID_MEMBERSHIP)
    assert.equal(host.version, 1)
    assert.deepEqual(
      host.v1.map(({ controllers, ownPath }) => [controllers.join(), ownPath]),
      [
        ['cpu,cpuacct', '/'],
        ['memory', '/a/b'],
        ['name=systemd', '/s'],
      ],
    )
    assert.deepEqual(host.unified, { mountPoint: '/sys/fs/cgroup/unified', ownPath: '/u' })
  })

  it('knows a v2 host', () => {
    assert.deepEqual(parseCgroupHost(V2_MOUNTS, '0::/user/scope\n'), {
      version: 2,
      v1: [],
      unified: { mountPoint: '/sys/fs/cgroup', ownPath: '/user/scope' },
    })
  })

  it('counts from what the mount shows', () => {
    const mounts = '35 31 0:32 /docker/x /sys/fs/cgroup/me\\040mory rw - cgroup cgroup rw,memory\n'
    const [hierarchy] = parseCgroupHost(mounts, '2:memory:/docker/x/y\n').v1
    assert.equal(hierarchy?.ownPath, '/y')
    assert.equal(hierarchy.mountPoint, '/sys/fs/cgroup/me mory')
  })

  it('says when there is none', () => {
    assert.throws(() => parseCgroupHost('', ''), { code: 'failedPrecondition' })
  })
})

describe('runtime-spec config-linux.md#cgroups-path', () => {
  const hybrid = parseCgroupHost(HYBRID_MOUNTS, HYBRID_MEMBERSHIP)
  const v2 = parseCgroupHost(V2_MOUNTS, '0::/user/scope\n')

  it('absolute is relative to the mount', () => {
    assert.deepEqual(resolveCgroupPaths(hybrid, '/default/c1', 'c1'), {
      cpu: '/sys/fs/cgroup/cpu,cpuacct/default/c1',
      cpuacct: '/sys/fs/cgroup/cpu,cpuacct/default/c1',
      memory: '/sys/fs/cgroup/memory/default/c1',
      'name=systemd': '/sys/fs/cgroup/systemd/default/c1',
      '': '/sys/fs/cgroup/unified/default/c1',
    })
  })

  it('left out is the id below our own', () => {
    const paths = resolveCgroupPaths(hybrid, undefined, 'c1')
    assert.equal(paths['memory'], '/sys/fs/cgroup/memory/a/b/c1')
    assert.equal(paths[''], '/sys/fs/cgroup/unified/u/c1')
  })

  it('relative is beside our own on v2', () => {
    assert.deepEqual(resolveCgroupPaths(v2, 'x/c1', 'c1'), { '': '/sys/fs/cgroup/user/x/c1' })
  })

  for (const path of ['..', 'a/../../b', '/../x', '/', '.', './x', '/a/\nb']) {
    it(`refuses ${JSON.stringify(path)} (S-22)`, () => {
      assert.throws(() => resolveCgroupPaths(hybrid, path, 'c1'), { code: 'invalidArgument' })
    })
  }
})
