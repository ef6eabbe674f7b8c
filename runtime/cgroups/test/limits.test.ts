import assert from 'node:assert/strict'
import { parseResourcesDocument } from '../../spec/parse.ts'
import { cpuWeightOfShares, ioWeightOfBlkioWeight, swapMaxOf } from '../convert.ts'
import type { CgroupWrite } from '../files.ts'
import { limitsV1 } from '../limits-v1.ts'
import { limitsV2 } from '../limits-v2.ts'

function resources(value: object) {
  return parseResourcesDocument(JSON.stringify(value)).value
}

function lines(writes: readonly CgroupWrite[]): readonly string[] {
  return writes.map(({ file, value }) => `${file} ${value}`)
}

const TABLE: readonly (readonly [string, object, readonly string[], readonly string[]])[] = [
  ['nothing', {}, [], []],
  [
    'zeroes, which Go writes for left out',
    {
      memory: { limit: 0 },
      cpu: { shares: 0, quota: 0, period: 0 },
      pids: { limit: 0 },
      blockIO: { weight: 0 },
    },
    [],
    [],
  ],
  [
    'memory',
    { memory: { limit: 1048576, reservation: 524288, swap: 2097152 } },
    [
      'memory.limit_in_bytes 1048576',
      'memory.memsw.limit_in_bytes 2097152',
      'memory.soft_limit_in_bytes 524288',
    ],
    ['memory.max 1048576', 'memory.swap.max 1048576', 'memory.low 524288'],
  ],
  [
    'memory without limit',
    { memory: { limit: -1 } },
    ['memory.limit_in_bytes -1', 'memory.memsw.limit_in_bytes -1'],
    ['memory.max max', 'memory.swap.max max'],
  ],
  [
    'memory with any swap',
    { memory: { limit: 4096, swap: -1 } },
    ['memory.limit_in_bytes 4096', 'memory.memsw.limit_in_bytes -1'],
    ['memory.max 4096', 'memory.swap.max max'],
  ],
  [
    'memory without swap',
    { memory: { limit: 4096, swap: 4096 } },
    ['memory.limit_in_bytes 4096', 'memory.memsw.limit_in_bytes 4096'],
    ['memory.max 4096', 'memory.swap.max 0'],
  ],
  [
    'oom killer and swappiness',
    { memory: { disableOOMKiller: true, swappiness: 0 } },
    ['memory.oom_control 1', 'memory.swappiness 0'],
    [],
  ],
  [
    'cpu',
    { cpu: { shares: 1024, quota: 50000, period: 100000, burst: 10 } },
    [
      'cpu.shares 1024',
      'cpu.cfs_period_us 100000',
      'cpu.cfs_quota_us 50000',
      'cpu.cfs_burst_us 10',
    ],
    ['cpu.weight 100', 'cpu.max 50000 100000', 'cpu.max.burst 10'],
  ],
  ['cpu without quota', { cpu: { quota: -1 } }, ['cpu.cfs_quota_us -1'], ['cpu.max max 100000']],
  ['idle', { cpu: { shares: 512, idle: 1 } }, ['cpu.shares 512', 'cpu.idle 1'], ['cpu.idle 1']],
  [
    'cpuset',
    { cpu: { cpus: '0-1', mems: '0' } },
    ['cpuset.cpus 0-1', 'cpuset.mems 0'],
    ['cpuset.cpus 0-1', 'cpuset.mems 0'],
  ],
  ['pids', { pids: { limit: 32 } }, ['pids.max 32'], ['pids.max 32']],
  ['pids without limit', { pids: { limit: -1 } }, ['pids.max max'], ['pids.max max']],
  [
    'block io',
    {
      blockIO: {
        weight: 10,
        weightDevice: [{ major: 8, minor: 0, weight: 1000 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 300 }],
      },
    },
    [
      'blkio.weight 10',
      'blkio.weight_device 8:0 1000',
      'blkio.throttle.read_bps_device 8:0 600',
      'blkio.throttle.write_iops_device 8:16 300',
    ],
    ['io.weight default 1', 'io.weight 8:0 10000', 'io.max 8:0 rbps=600', 'io.max 8:16 wiops=300'],
  ],
  [
    'huge pages',
    { hugepageLimits: [{ pageSize: '2MB', limit: 9 }] },
    ['hugetlb.2MB.limit_in_bytes 9'],
    ['hugetlb.2MB.max 9'],
  ],
  [
    'rdma',
    { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 4 } } },
    ['rdma.max mlx5_1 hca_handle=3 hca_object=4'],
    ['rdma.max mlx5_1 hca_handle=3 hca_object=4'],
  ],
]

describe('runtime-spec config-linux.md#control-groups', () => {
  for (const [name, value, v1, v2] of TABLE) {
    it(`${name} on v1`, () => {
      assert.deepEqual(lines(limitsV1(resources(value))), v1)
    })
    it(`${name} on v2`, () => {
      assert.deepEqual(lines(limitsV2(resources(value))), v2)
    })
  }

  it('network and realtime on v1 only', () => {
    const value = { network: { classID: 1048577, priorities: [{ name: 'lo', priority: 5 }] } }
    assert.deepEqual(lines(limitsV1(resources(value))), [
      'net_cls.classid 1048577',
      'net_prio.ifpriomap lo 5',
    ])
    assert.throws(() => limitsV2(resources(value)), { code: 'failedPrecondition' })
    const realtime = { cpu: { realtimePeriod: 1000000, realtimeRuntime: 950000 } }
    assert.deepEqual(lines(limitsV1(resources(realtime))), [
      'cpu.rt_period_us 1000000',
      'cpu.rt_runtime_us 950000',
    ])
    assert.throws(() => limitsV2(resources(realtime)), { code: 'failedPrecondition' })
  })

  it('unified on v2 only, a line per write', () => {
    const value = { unified: { 'memory.high': '100', 'io.max': '8:0 rbps=1\n8:16 rbps=2' } }
    assert.deepEqual(lines(limitsV2(resources(value))), [
      'memory.high 100',
      'io.max 8:0 rbps=1',
      'io.max 8:16 rbps=2',
    ])
    assert.throws(() => limitsV1(resources(value)), { code: 'failedPrecondition' })
  })
})

describe('cpuWeightOfShares', () => {
  for (const [shares, weight] of [
    [0n, 1],
    [2n, 1],
    [1024n, 100],
    [262144n, 10000],
    [2n ** 64n - 1n, 10000],
  ] as const) {
    it(`${String(shares)} shares weigh ${String(weight)}`, () => {
      assert.equal(cpuWeightOfShares(shares), weight)
    })
  }

  it('grows with the shares and stays in range', () => {
    let last = 1
    for (let shares = 2n; shares <= 262144n; shares += 127n) {
      const weight = cpuWeightOfShares(shares)
      assert.ok(weight >= last && weight <= 10000)
      last = weight
    }
  })
})

describe('ioWeightOfBlkioWeight', () => {
  it('maps the ends of the range', () => {
    assert.deepEqual([10, 500, 1000].map(ioWeightOfBlkioWeight), [1, 4950, 10000])
  })
})

describe('swapMaxOf', () => {
  it('refuses contradictions', () => {
    assert.throws(() => swapMaxOf({ swap: 10n }), { code: 'invalidArgument' })
    assert.throws(() => swapMaxOf({ limit: 20n, swap: 10n }), { code: 'invalidArgument' })
  })
})
