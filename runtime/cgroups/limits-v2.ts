/** Resources → what is written into a v2 cgroup; pure. 0 is "not asked for", as in runc, where Go cannot tell. */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { BlockIoResources, CpuResources, LinuxResources } from '../spec/types.ts'
import { UNIFIED } from './cgroup-path.ts'
import { bytesOrMax, cpuWeightOfShares, ioWeightOfBlkioWeight, swapMaxOf } from './convert.ts'
import type { CgroupWrite } from './files.ts'
import { rdmaLine } from './limits-v1.ts'

const DEFAULT_PERIOD_US = 100_000n

/**
 * Everything but devices; `unified` last, so that it overrides. v2 has no swappiness, no way to switch the
 * OOM killer off and no network classes: the first two are ignored as in runc, the third is refused.
 */
export function limitsV2(resources: LinuxResources): readonly CgroupWrite[] {
  const { memory, cpu, pids, blockIO, hugepageLimits, network, rdma, unified } = resources
  refuseV1Only(cpu, network)
  return [
    ...(memory === undefined
      ? []
      : [
          ...nonZero(memory.limit, (bytes) => write('memory.max', bytesOrMax(bytes))),
          ...optional(swapMaxOf(memory), (value) => write('memory.swap.max', value)),
          ...nonZero(memory.reservation, (bytes) => write('memory.low', bytesOrMax(bytes))),
        ]),
    ...(cpu === undefined ? [] : cpuLimits(cpu)),
    ...nonZero(pids?.limit, (limit) => write('pids.max', bytesOrMax(limit))),
    ...(blockIO === undefined ? [] : blockIoLimits(blockIO)),
    ...(hugepageLimits ?? []).map(({ pageSize, limitBytes }) =>
      write(`hugetlb.${pageSize}.max`, String(limitBytes)),
    ),
    ...Object.entries(rdma ?? {}).map(([device, { hcaHandles, hcaObjects }]) =>
      write('rdma.max', rdmaLine(device, hcaHandles, hcaObjects)),
    ),
    ...Object.entries(unified ?? {}).flatMap(([file, text]) =>
      // Files that take one device per write are given a line each.
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => write(file, line)),
    ),
  ]
}

function write(file: string, value: string): CgroupWrite {
  return { controller: UNIFIED, file, value }
}

function optional<T>(
  value: T | undefined,
  make: (value: T) => CgroupWrite,
): readonly CgroupWrite[] {
  return value === undefined ? [] : [make(value)]
}

function nonZero<T extends number | bigint>(
  value: T | undefined,
  make: (value: T) => CgroupWrite,
): readonly CgroupWrite[] {
  return value === 0 || value === 0n ? [] : optional(value, make)
}

function refuseV1Only(cpu: CpuResources | undefined, network: LinuxResources['network']): void {
  const isRealtime = (cpu?.realtimeRuntime ?? 0n) !== 0n || (cpu?.realtimePeriod ?? 0n) !== 0n
  const isNetwork = (network?.classId ?? 0) !== 0 || (network?.priorities.length ?? 0) > 0
  if (!isRealtime && !isNetwork) return
  throw new PlatformError('failedPrecondition', {
    action: 'set cgroup limits',
    step: isRealtime ? '/linux/resources/cpu/realtimeRuntime' : '/linux/resources/network',
    found: 'a host with cgroup v2',
    wanted: 'cgroup v1, the only one that has this',
  })
}

function cpuLimits({
  shares,
  quota,
  period,
  burst,
  idle,
  cpus,
  mems,
}: CpuResources): readonly CgroupWrite[] {
  const hasMax = (quota ?? 0n) !== 0n || (period ?? 0n) !== 0n
  const quotaText = quota === undefined || quota <= 0n ? 'max' : String(quota)
  const periodUs = period === undefined || period === 0n ? DEFAULT_PERIOD_US : period
  return [
    ...optional(idle, (value) => write('cpu.idle', String(value))),
    // The weight of an idle cgroup is fixed.
    ...(idle === 1n
      ? []
      : nonZero(shares, (value) => write('cpu.weight', String(cpuWeightOfShares(value))))),
    ...(hasMax ? [write('cpu.max', `${quotaText} ${periodUs}`)] : []),
    ...nonZero(burst, (us) => write('cpu.max.burst', String(us))),
    ...optional(cpus, (list) => write('cpuset.cpus', list)),
    ...optional(mems, (list) => write('cpuset.mems', list)),
  ]
}

function blockIoLimits(blockIO: BlockIoResources): readonly CgroupWrite[] {
  const throttles = [
    ['rbps', blockIO.throttleReadBpsDevice],
    ['wbps', blockIO.throttleWriteBpsDevice],
    ['riops', blockIO.throttleReadIOPSDevice],
    ['wiops', blockIO.throttleWriteIOPSDevice],
  ] as const
  return [
    ...nonZero(blockIO.weight, (weight) =>
      write('io.weight', `default ${ioWeightOfBlkioWeight(weight)}`),
    ),
    ...blockIO.weightDevice.flatMap(({ major, minor, weight }) =>
      nonZero(weight, (value) =>
        write('io.weight', `${major}:${minor} ${ioWeightOfBlkioWeight(value)}`),
      ),
    ),
    ...throttles.flatMap(([key, devices]) =>
      devices.map(({ major, minor, rate }) => write('io.max', `${major}:${minor} ${key}=${rate}`)),
    ),
  ]
}
