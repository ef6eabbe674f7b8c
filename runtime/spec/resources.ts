/** `linux.resources`, of config.json and of `update --resources`. @see runtime-spec v1.3 config-linux.md#control-groups */
import { parseCpuList } from './process.ts'
import { INT64, type IntegerRange, type ObjectReader, UINT16, UINT32, UINT64 } from './reader.ts'
import type {
  BlockIoResources,
  BlockIoThrottle,
  CpuResources,
  DeviceAccess,
  DeviceRule,
  HugepageLimit,
  LinuxResources,
  MemoryResources,
  NetworkResources,
} from './types.ts'

/** -1 (and any negative number, as in runc) is the wildcard of a device rule. */
const DEVICE_NUMBER: IntegerRange = { min: -1, max: 0xffff_ffff }

export function parseResources(reader: ObjectReader | undefined): LinuxResources {
  if (reader === undefined) return {}
  const pids = reader.optionalObject('pids')
  return {
    devices: reader.optionalObjects('devices', parseDeviceRule),
    memory: parseMemory(reader.optionalObject('memory')),
    cpu: parseCpu(reader.optionalObject('cpu')),
    pids: pids?.has('limit') === true ? { limit: pids.bigint('limit', INT64) } : undefined,
    blockIO: parseBlockIo(reader.optionalObject('blockIO')),
    hugepageLimits: reader.optionalObjects('hugepageLimits', parseHugepageLimit),
    network: parseNetwork(reader.optionalObject('network')),
    rdma: reader.has('rdma')
      ? reader.objectMap('rdma', (item) => ({
          hcaHandles: item.optionalInteger('hcaHandles', UINT32),
          hcaObjects: item.optionalInteger('hcaObjects', UINT32),
        }))
      : undefined,
    unified: parseUnified(reader),
  }
}

/** @see config-linux.md#allowed-device-list */
function parseDeviceRule(reader: ObjectReader): DeviceRule {
  const type = reader.nonEmptyString('type') ?? 'a'
  if (type !== 'a' && type !== 'c' && type !== 'b') return reader.fail('type', 'a, b or c')
  const number = (key: string): number | undefined => {
    const value = reader.optionalInteger(key, DEVICE_NUMBER)
    return value === -1 ? undefined : value
  }
  return {
    allow: reader.boolean('allow'),
    type,
    major: number('major'),
    minor: number('minor'),
    access: parseAccess(reader),
  }
}

/** Left out: every kind of access, as runc reads it. */
function parseAccess(reader: ObjectReader): DeviceAccess {
  const access = reader.nonEmptyString('access') ?? 'rwm'
  if (!/^[rwm]{1,3}$/.test(access)) return reader.fail('access', 'a combination of r, w and m')
  return {
    read: access.includes('r'),
    write: access.includes('w'),
    mknod: access.includes('m'),
  }
}

function parseMemory(reader: ObjectReader | undefined): MemoryResources | undefined {
  if (reader === undefined) return undefined
  const bytes = (key: string): bigint | undefined =>
    reader.optionalBigInt(key, { min: -1n, max: INT64.max })
  return {
    limit: bytes('limit'),
    reservation: bytes('reservation'),
    swap: bytes('swap'),
    kernel: bytes('kernel'),
    kernelTcp: bytes('kernelTCP'),
    swappiness: reader.optionalBigInt('swappiness', { min: 0n, max: 100n }),
    disableOomKiller: reader.optionalBoolean('disableOOMKiller'),
    useHierarchy: reader.optionalBoolean('useHierarchy'),
    checkBeforeUpdate: reader.optionalBoolean('checkBeforeUpdate'),
  }
}

function parseCpu(reader: ObjectReader | undefined): CpuResources | undefined {
  if (reader === undefined) return undefined
  return {
    shares: reader.optionalBigInt('shares', UINT64),
    quota: reader.optionalBigInt('quota', INT64),
    burst: reader.optionalBigInt('burst', UINT64),
    period: reader.optionalBigInt('period', UINT64),
    realtimeRuntime: reader.optionalBigInt('realtimeRuntime', INT64),
    realtimePeriod: reader.optionalBigInt('realtimePeriod', UINT64),
    cpus: parseCpuList(reader, 'cpus'),
    mems: parseCpuList(reader, 'mems'),
    idle: reader.optionalBigInt('idle', { min: 0n, max: 1n }),
  }
}

function parseBlockIo(reader: ObjectReader | undefined): BlockIoResources | undefined {
  if (reader === undefined) return undefined
  return {
    weight: reader.optionalInteger('weight', UINT16),
    leafWeight: reader.optionalInteger('leafWeight', UINT16),
    weightDevice: reader.objects('weightDevice', (item) => ({
      major: item.integer('major', UINT32),
      minor: item.integer('minor', UINT32),
      weight: item.optionalInteger('weight', UINT16),
      leafWeight: item.optionalInteger('leafWeight', UINT16),
    })),
    throttleReadBpsDevice: reader.objects('throttleReadBpsDevice', parseThrottle),
    throttleWriteBpsDevice: reader.objects('throttleWriteBpsDevice', parseThrottle),
    throttleReadIOPSDevice: reader.objects('throttleReadIOPSDevice', parseThrottle),
    throttleWriteIOPSDevice: reader.objects('throttleWriteIOPSDevice', parseThrottle),
  }
}

function parseThrottle(reader: ObjectReader): BlockIoThrottle {
  return {
    major: reader.integer('major', UINT32),
    minor: reader.integer('minor', UINT32),
    rate: reader.bigint('rate', UINT64),
  }
}

/** The page size becomes part of a file name. @see config-linux.md#huge-page-limits */
function parseHugepageLimit(reader: ObjectReader): HugepageLimit {
  const pageSize = reader.string('pageSize')
  if (!/^[1-9]\d*[KMG]B$/.test(pageSize)) reader.fail('pageSize', 'a size like 2MB')
  return { pageSize, limitBytes: reader.bigint('limit', UINT64) }
}

function parseNetwork(reader: ObjectReader | undefined): NetworkResources | undefined {
  if (reader === undefined) return undefined
  return {
    classId: reader.optionalInteger('classID', UINT32),
    priorities: reader.objects('priorities', (item) => ({
      name: item.string('name'),
      priority: item.integer('priority', UINT32),
    })),
  }
}

/** The keys become file names in the container's cgroup (S-22). */
function parseUnified(reader: ObjectReader): Readonly<Record<string, string>> | undefined {
  if (!reader.has('unified')) return undefined
  const unified = reader.stringMap('unified')
  for (const name of Object.keys(unified)) {
    if (!/^[a-z][a-z0-9_]*\.[A-Za-z0-9_.]+$/.test(name) || name.includes('..')) {
      reader.fail('unified', 'names of cgroup v2 files like memory.high', JSON.stringify(name))
    }
  }
  return unified
}
