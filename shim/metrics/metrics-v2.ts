/** @see the kernel's Documentation/admin-guide/cgroup-v2.rst */
import { Metrics } from '../../proto/generated/containerd/cgroups/v2/metrics.ts'
import { parseCount, readCount, readCounts, readText } from './cgroup-files.ts'

type Counts = (key: string) => bigint

/** An encoded Metrics message. */
export function readMetricsV2(directory: string): Buffer {
  const cpu = readCounts(directory, 'cpu.stat')
  const events = readCounts(directory, 'memory.events')
  const metrics = Metrics.fromPartial({
    pids: readPids(directory),
    cpu: {
      usageUsec: cpu('usage_usec'),
      userUsec: cpu('user_usec'),
      systemUsec: cpu('system_usec'),
      nrPeriods: cpu('nr_periods'),
      nrThrottled: cpu('nr_throttled'),
      throttledUsec: cpu('throttled_usec'),
      nrBursts: cpu('nr_bursts'),
      burstUsec: cpu('burst_usec'),
    },
    memory: {
      ...memoryStat(readCounts(directory, 'memory.stat')),
      usage: readCount(directory, 'memory.current'),
      usageLimit: readCount(directory, 'memory.max'),
      maxUsage: readCount(directory, 'memory.peak'),
      swapUsage: readCount(directory, 'memory.swap.current'),
      swapLimit: readCount(directory, 'memory.swap.max'),
      swapMaxUsage: readCount(directory, 'memory.swap.peak'),
    },
    memoryEvents: {
      low: events('low'),
      high: events('high'),
      max: events('max'),
      oom: events('oom'),
      oomKill: events('oom_kill'),
    },
  })
  return Buffer.from(Metrics.encode(metrics).finish())
}

function readPids(directory: string): { current: bigint; limit: bigint } {
  const limit = readText(directory, 'pids.max')?.trim() ?? 'max'
  // No limit is 0 here.
  return {
    current: readCount(directory, 'pids.current'),
    limit: limit === 'max' ? 0n : parseCount(limit),
  }
}

function memoryStat(stat: Counts) {
  return {
    anon: stat('anon'),
    file: stat('file'),
    kernelStack: stat('kernel_stack'),
    slab: stat('slab'),
    sock: stat('sock'),
    shmem: stat('shmem'),
    fileMapped: stat('file_mapped'),
    fileDirty: stat('file_dirty'),
    fileWriteback: stat('file_writeback'),
    anonThp: stat('anon_thp'),
    inactiveAnon: stat('inactive_anon'),
    activeAnon: stat('active_anon'),
    inactiveFile: stat('inactive_file'),
    activeFile: stat('active_file'),
    unevictable: stat('unevictable'),
    slabReclaimable: stat('slab_reclaimable'),
    slabUnreclaimable: stat('slab_unreclaimable'),
    pgfault: stat('pgfault'),
    pgmajfault: stat('pgmajfault'),
    pgrefill: stat('pgrefill'),
    pgscan: stat('pgscan'),
    pgsteal: stat('pgsteal'),
    pgactivate: stat('pgactivate'),
    pgdeactivate: stat('pgdeactivate'),
    pglazyfree: stat('pglazyfree'),
    pglazyfreed: stat('pglazyfreed'),
    thpFaultAlloc: stat('thp_fault_alloc'),
    thpCollapseAlloc: stat('thp_collapse_alloc'),
    workingsetNodereclaim: stat('workingset_nodereclaim'),
    workingsetRefaultAnon: stat('workingset_refault_anon'),
    workingsetRefaultFile: stat('workingset_refault_file'),
    workingsetActivateAnon: stat('workingset_activate_anon'),
    workingsetActivateFile: stat('workingset_activate_file'),
  }
}
