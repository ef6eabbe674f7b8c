/** Resources → what is written into a v1 cgroup; pure. 0 is "not asked for", as in runc, where Go cannot tell. */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type {
  BlockIoResources,
  CpuResources,
  LinuxResources,
  MemoryResources,
} from '../spec/types.ts'
import { deviceListOf, formatException, withStandardDevices } from './device-rules.ts'
import type { CgroupWrite } from './files.ts'

/** Everything but devices. In order: a quota is checked against its period, swap against memory. */
export function limitsV1(resources: LinuxResources): readonly CgroupWrite[] {
  if (resources.unified !== undefined && Object.keys(resources.unified).length > 0) {
    throw new PlatformError('failedPrecondition', {
      action: 'set cgroup limits',
      step: '/linux/resources/unified',
      found: 'a host with cgroup v1 controllers',
      wanted: 'cgroup v2, which these files belong to',
    })
  }
  const { memory, cpu, pids, blockIO, hugepageLimits, network, rdma } = resources
  return [
    ...(memory === undefined ? [] : memoryLimits(memory)),
    ...(cpu === undefined ? [] : cpuLimits(cpu)),
    ...(pids === undefined || pids.limit === 0n
      ? []
      : [write('pids', 'pids.max', pids.limit < 0n ? 'max' : pids.limit)]),
    ...(blockIO === undefined ? [] : blockIoLimits(blockIO)),
    ...(hugepageLimits ?? []).map(({ pageSize, limitBytes }) =>
      write('hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limitBytes),
    ),
    ...nonZero(network?.classId, (id) => write('net_cls', 'net_cls.classid', id)),
    ...(network?.priorities ?? []).map(({ name, priority }) =>
      write('net_prio', 'net_prio.ifpriomap', `${name} ${priority}`),
    ),
    ...Object.entries(rdma ?? {}).map(([device, { hcaHandles, hcaObjects }]) =>
      write('rdma', 'rdma.max', rdmaLine(device, hcaHandles, hcaObjects)),
    ),
  ]
}

/** One device rule per write, deny-all before the first. */
export function deviceWritesV1(rules: LinuxResources['devices']): readonly CgroupWrite[] {
  const { defaultAllow, exceptions } = deviceListOf(withStandardDevices(rules))
  const [base, other] = defaultAllow
    ? (['devices.allow', 'devices.deny'] as const)
    : (['devices.deny', 'devices.allow'] as const)
  return [
    write('devices', base, 'a'),
    ...exceptions.map((exception) => write('devices', other, formatException(exception))),
  ]
}

function write(controller: string, file: string, value: string | number | bigint): CgroupWrite {
  return { controller, file, value: String(value) }
}

function nonZero<T extends number | bigint>(
  value: T | undefined,
  make: (value: T) => CgroupWrite,
): readonly CgroupWrite[] {
  return value === undefined || value === 0 || value === 0n ? [] : [make(value)]
}

/** The deprecated kernel memory limits are not written: kernels since 5.16 refuse or ignore them, and so does runc. */
function memoryLimits(memory: MemoryResources): readonly CgroupWrite[] {
  const { limit, reservation, kernelTcp, swappiness, disableOomKiller } = memory
  // No limit on memory means none on memory and swap together.
  const swap = limit === -1n && (memory.swap ?? 0n) === 0n ? -1n : memory.swap
  return [
    ...nonZero(limit, (bytes) => write('memory', 'memory.limit_in_bytes', bytes)),
    ...nonZero(swap, (bytes) => write('memory', 'memory.memsw.limit_in_bytes', bytes)),
    ...nonZero(reservation, (bytes) => write('memory', 'memory.soft_limit_in_bytes', bytes)),
    ...nonZero(kernelTcp, (bytes) => write('memory', 'memory.kmem.tcp.limit_in_bytes', bytes)),
    ...(disableOomKiller === true ? [write('memory', 'memory.oom_control', 1)] : []),
    ...(swappiness === undefined ? [] : [write('memory', 'memory.swappiness', swappiness)]),
  ]
}

function cpuLimits(cpu: CpuResources): readonly CgroupWrite[] {
  return [
    ...nonZero(cpu.shares, (shares) => write('cpu', 'cpu.shares', shares)),
    ...nonZero(cpu.period, (us) => write('cpu', 'cpu.cfs_period_us', us)),
    ...nonZero(cpu.quota, (us) => write('cpu', 'cpu.cfs_quota_us', us < 0n ? -1 : us)),
    ...nonZero(cpu.burst, (us) => write('cpu', 'cpu.cfs_burst_us', us)),
    ...nonZero(cpu.realtimePeriod, (us) => write('cpu', 'cpu.rt_period_us', us)),
    ...nonZero(cpu.realtimeRuntime, (us) => write('cpu', 'cpu.rt_runtime_us', us)),
    ...(cpu.idle === undefined ? [] : [write('cpu', 'cpu.idle', cpu.idle)]),
    ...(cpu.cpus === undefined ? [] : [write('cpuset', 'cpuset.cpus', cpu.cpus)]),
    ...(cpu.mems === undefined ? [] : [write('cpuset', 'cpuset.mems', cpu.mems)]),
  ]
}

function blockIoLimits(blockIO: BlockIoResources): readonly CgroupWrite[] {
  const throttles = [
    ['blkio.throttle.read_bps_device', blockIO.throttleReadBpsDevice],
    ['blkio.throttle.write_bps_device', blockIO.throttleWriteBpsDevice],
    ['blkio.throttle.read_iops_device', blockIO.throttleReadIOPSDevice],
    ['blkio.throttle.write_iops_device', blockIO.throttleWriteIOPSDevice],
  ] as const
  return [
    ...nonZero(blockIO.weight, (weight) => write('blkio', 'blkio.weight', weight)),
    ...nonZero(blockIO.leafWeight, (weight) => write('blkio', 'blkio.leaf_weight', weight)),
    ...blockIO.weightDevice.flatMap(({ major, minor, weight, leafWeight }) => [
      ...nonZero(weight, (value) =>
        write('blkio', 'blkio.weight_device', `${major}:${minor} ${value}`),
      ),
      ...nonZero(leafWeight, (value) =>
        write('blkio', 'blkio.leaf_weight_device', `${major}:${minor} ${value}`),
      ),
    ]),
    ...throttles.flatMap(([file, devices]) =>
      devices.map(({ major, minor, rate }) => write('blkio', file, `${major}:${minor} ${rate}`)),
    ),
  ]
}

/** @see cgroup-v2.rst, RDMA: what is not named stays as it is */
export function rdmaLine(
  device: string,
  hcaHandles: number | undefined,
  hcaObjects: number | undefined,
): string {
  return [
    device,
    ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
    ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
  ].join(' ')
}
