/** The `linux` object. @see runtime-spec v1.3 config-linux.md */
import { parseIdMappings } from './id-mappings.ts'
import { ID_RANGE } from './process.ts'
import { INT64, type ObjectReader } from './reader.ts'
import { parseResources } from './resources.ts'
import { parseSeccomp } from './seccomp.ts'
import {
  type DeviceSpec,
  type IntelRdtSpec,
  type LinuxSpec,
  type MemoryPolicySpec,
  NAMESPACE_FLAGS,
  type NamespaceSpec,
  PERSONALITY_DOMAINS,
  type PersonalitySpec,
  ROOTFS_PROPAGATIONS,
  type TimeOffset,
} from './types.ts'

const EMPTY: LinuxSpec = {
  namespaces: [],
  uidMappings: [],
  gidMappings: [],
  timeOffsets: {},
  devices: [],
  netDevices: {},
  resources: {},
  sysctl: {},
  maskedPaths: [],
  readonlyPaths: [],
}

export function parseLinux(reader: ObjectReader | undefined): LinuxSpec {
  if (reader === undefined) return EMPTY
  const seccomp = reader.optionalObject('seccomp')
  return {
    namespaces: parseNamespaces(reader),
    uidMappings: parseIdMappings(reader, 'uidMappings'),
    gidMappings: parseIdMappings(reader, 'gidMappings'),
    timeOffsets: parseTimeOffsets(reader),
    devices: reader.objects('devices', parseDevice),
    netDevices: reader.objectMap('netDevices', (item) => ({ name: item.nonEmptyString('name') })),
    cgroupsPath: reader.nonEmptyString('cgroupsPath'),
    resources: parseResources(reader.optionalObject('resources')),
    intelRdt: parseIntelRdt(reader.optionalObject('intelRdt')),
    sysctl: reader.stringMap('sysctl'),
    seccomp: seccomp === undefined ? undefined : parseSeccomp(seccomp),
    rootfsPropagation: reader.has('rootfsPropagation') ? parsePropagation(reader) : undefined,
    maskedPaths: parseAbsolutePaths(reader, 'maskedPaths'),
    readonlyPaths: parseAbsolutePaths(reader, 'readonlyPaths'),
    mountLabel: reader.nonEmptyString('mountLabel'),
    personality: parsePersonality(reader.optionalObject('personality')),
    memoryPolicy: parseMemoryPolicy(reader.optionalObject('memoryPolicy')),
  }
}

/** @see config-linux.md#namespaces */
function parseNamespaces(reader: ObjectReader): readonly NamespaceSpec[] {
  const namespaces = reader.objects('namespaces', (item): NamespaceSpec => {
    const type = item.name('type', NAMESPACE_FLAGS)
    const path = item.nonEmptyString('path')
    if (path !== undefined && !path.startsWith('/')) item.fail('path', 'an absolute path')
    return { type, path }
  })
  const seen = new Set<string>()
  for (const [index, { type }] of namespaces.entries()) {
    if (seen.has(type))
      reader.fail(`namespaces/${index}/type`, 'each namespace once', `${type} again`)
    seen.add(type)
  }
  return namespaces
}

function parseTimeOffsets(reader: ObjectReader): LinuxSpec['timeOffsets'] {
  const offsets = reader.optionalObject('timeOffsets')
  if (offsets === undefined) return {}
  const read = (clock: ObjectReader | undefined): TimeOffset | undefined =>
    clock === undefined
      ? undefined
      : {
          secs: clock.optionalBigInt('secs', INT64) ?? 0n,
          nanosecs: clock.optionalInteger('nanosecs', { min: 0, max: 999_999_999 }) ?? 0,
        }
  const monotonic = read(offsets.optionalObject('monotonic'))
  const boottime = read(offsets.optionalObject('boottime'))
  return {
    ...(monotonic === undefined ? {} : { monotonic }),
    ...(boottime === undefined ? {} : { boottime }),
  }
}

/** Device numbers are 12 bits of major and 20 of minor. @see config-linux.md#devices */
function parseDevice(reader: ObjectReader): DeviceSpec {
  const type = reader.string('type')
  if (type !== 'c' && type !== 'b' && type !== 'u' && type !== 'p') {
    return reader.fail('type', 'b, c, u or p')
  }
  const number = (key: string, max: number): number =>
    type === 'p' ? 0 : reader.integer(key, { min: 0, max })
  const fileMode = reader.optionalInteger('fileMode', { min: 0, max: 0o177_777 })
  return {
    type,
    path: reader.absolutePath('path'),
    major: number('major', 0xfff),
    minor: number('minor', 0xf_ffff),
    fileMode: fileMode === undefined ? undefined : fileMode & 0o7777,
    uid: reader.optionalInteger('uid', ID_RANGE),
    gid: reader.optionalInteger('gid', ID_RANGE),
  }
}

function parseAbsolutePaths(reader: ObjectReader, key: string): readonly string[] {
  const paths = reader.strings(key)
  const wrong = paths.findIndex((path) => !path.startsWith('/'))
  if (wrong >= 0) reader.fail(`${key}/${wrong}`, 'an absolute path', JSON.stringify(paths[wrong]))
  return paths
}

/** An empty string is how Go writes "left out". */
function parsePropagation(reader: ObjectReader): LinuxSpec['rootfsPropagation'] {
  if (reader.nonEmptyString('rootfsPropagation') === undefined) return undefined
  return reader.name('rootfsPropagation', ROOTFS_PROPAGATIONS)
}

function parseIntelRdt(reader: ObjectReader | undefined): IntelRdtSpec | undefined {
  if (reader === undefined) return undefined
  return {
    closId: reader.nonEmptyString('closID'),
    schemata: reader.strings('schemata'),
    l3CacheSchema: reader.nonEmptyString('l3CacheSchema'),
    memBwSchema: reader.nonEmptyString('memBwSchema'),
    enableMonitoring: reader.boolean('enableMonitoring'),
  }
}

function parsePersonality(reader: ObjectReader | undefined): PersonalitySpec | undefined {
  if (reader === undefined) return undefined
  if (reader.strings('flags').length > 0) reader.fail('flags', 'no flags: none is defined')
  return { domain: reader.name('domain', PERSONALITY_DOMAINS) }
}

function parseMemoryPolicy(reader: ObjectReader | undefined): MemoryPolicySpec | undefined {
  if (reader === undefined) return undefined
  return {
    mode: reader.string('mode'),
    nodes: reader.nonEmptyString('nodes'),
    flags: reader.strings('flags'),
  }
}
