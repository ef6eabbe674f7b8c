/** @see the kernel's Documentation/admin-guide/cgroup-v1 */
import { Metrics } from '../../proto/generated/containerd/cgroups/v1/metrics.ts'
import { parseCount, readCount, readCounts, readText } from './cgroup-files.ts'

type Counts = (key: string) => bigint

/** Clock ticks of cpuacct.stat, USER_HZ. */
const NANOS_PER_TICK = 10_000_000n

/** An encoded Metrics message; a controller without a directory is left out. */
export function readMetricsV1(directories: ReadonlyMap<string, string>): Buffer {
  const memory = directories.get('memory')
  const cpuacct = directories.get('cpuacct')
  const cpu = directories.get('cpu')
  const pids = directories.get('pids')
  const metrics = Metrics.fromPartial({
    ...(pids === undefined ? {} : { pids: readPids(pids) }),
    ...(cpuacct === undefined ? {} : { cpu: readCpu(cpuacct, cpu) }),
    ...(memory === undefined ? {} : readMemory(memory)),
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

function readCpu(cpuacct: string, cpu: string | undefined): Metrics['cpu'] {
  const times = readCounts(cpuacct, 'cpuacct.stat')
  const throttling = cpu === undefined ? () => 0n : readCounts(cpu, 'cpu.stat')
  return {
    usage: {
      total: readCount(cpuacct, 'cpuacct.usage'),
      kernel: times('system') * NANOS_PER_TICK,
      user: times('user') * NANOS_PER_TICK,
      perCpu: (readText(cpuacct, 'cpuacct.usage_percpu') ?? '')
        .split(' ')
        .filter(isNumber)
        .map(BigInt),
    },
    throttling: {
      periods: throttling('nr_periods'),
      throttledPeriods: throttling('nr_throttled'),
      throttledTime: throttling('throttled_time'),
    },
  }
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text)
}

function readMemory(directory: string): Pick<Metrics, 'memory' | 'memoryOomControl'> {
  const stat = readCounts(directory, 'memory.stat')
  const oom = readCounts(directory, 'memory.oom_control')
  return {
    memory: {
      ...ownMemory(stat),
      ...totalMemory(stat),
      hierarchicalMemoryLimit: stat('hierarchical_memory_limit'),
      hierarchicalSwapLimit: stat('hierarchical_memsw_limit'),
      usage: readEntry(directory, 'memory'),
      swap: readEntry(directory, 'memory.memsw'),
      kernel: readEntry(directory, 'memory.kmem'),
      kernelTcp: readEntry(directory, 'memory.kmem.tcp'),
    },
    memoryOomControl: {
      oomKillDisable: oom('oom_kill_disable'),
      underOom: oom('under_oom'),
      oomKill: oom('oom_kill'),
    },
  }
}

function ownMemory(stat: Counts) {
  return {
    cache: stat('cache'),
    rss: stat('rss'),
    rssHuge: stat('rss_huge'),
    mappedFile: stat('mapped_file'),
    dirty: stat('dirty'),
    writeback: stat('writeback'),
    pgPgIn: stat('pgpgin'),
    pgPgOut: stat('pgpgout'),
    pgFault: stat('pgfault'),
    pgMajFault: stat('pgmajfault'),
    inactiveAnon: stat('inactive_anon'),
    activeAnon: stat('active_anon'),
    inactiveFile: stat('inactive_file'),
    activeFile: stat('active_file'),
    unevictable: stat('unevictable'),
  }
}

function totalMemory(stat: Counts) {
  return {
    totalCache: stat('total_cache'),
    totalRss: stat('total_rss'),
    totalRssHuge: stat('total_rss_huge'),
    totalMappedFile: stat('total_mapped_file'),
    totalDirty: stat('total_dirty'),
    totalWriteback: stat('total_writeback'),
    totalPgPgIn: stat('total_pgpgin'),
    totalPgPgOut: stat('total_pgpgout'),
    totalPgFault: stat('total_pgfault'),
    totalPgMajFault: stat('total_pgmajfault'),
    totalInactiveAnon: stat('total_inactive_anon'),
    totalActiveAnon: stat('total_active_anon'),
    totalInactiveFile: stat('total_inactive_file'),
    totalActiveFile: stat('total_active_file'),
    totalUnevictable: stat('total_unevictable'),
  }
}

function readEntry(directory: string, prefix: string) {
  return {
    limit: readCount(directory, `${prefix}.limit_in_bytes`),
    usage: readCount(directory, `${prefix}.usage_in_bytes`),
    max: readCount(directory, `${prefix}.max_usage_in_bytes`),
    failcnt: readCount(directory, `${prefix}.failcnt`),
  }
}
