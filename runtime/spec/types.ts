/**
 * config.json as the rest of the runtime sees it: parsed once by `parseSpec`, checked, complete and read-only.
 *
 * Names follow the JSON. A list or map that the document leaves out is empty here; a scalar that is left
 * out is `undefined` and keeps its meaning of "not asked for". JSON `null` counts as left out. 64-bit
 * numbers are bigint.
 *
 * @see runtime-spec v1.3 config.md, config-linux.md
 */
import type { Capability } from './capabilities.ts'
import type { SeccompSpec } from './seccomp-types.ts'

export type * from './seccomp-types.ts'
export type { Capability } from './capabilities.ts'

/** @see config.md */
export interface Spec {
  /** Semantic version of the document, major 1. */
  readonly ociVersion: string
  readonly root: RootSpec
  readonly process: ProcessSpec
  readonly hostname?: string | undefined
  readonly domainname?: string | undefined
  /** In the order in which they are to be mounted. */
  readonly mounts: readonly MountSpec[]
  readonly hooks: HooksSpec
  readonly annotations: Readonly<Record<string, string>>
  readonly linux: LinuxSpec
}

/** @see config.md#root */
export interface RootSpec {
  /** Absolute, or relative to the bundle. */
  readonly path: string
  readonly readonly: boolean
}

/** @see config.md#process */
export interface ProcessSpec {
  readonly terminal: boolean
  readonly consoleSize?: ConsoleSize | undefined
  readonly user: UserSpec
  /** At least one. */
  readonly args: readonly string[]
  /** `NAME=value` in the order of the document; a later one wins. */
  readonly env: readonly string[]
  /** Absolute. */
  readonly cwd: string
  /** Left out: no capability in any set (S-11). */
  readonly capabilities: CapabilitySets
  readonly rlimits: readonly Rlimit[]
  readonly noNewPrivileges: boolean
  readonly apparmorProfile?: string | undefined
  readonly selinuxLabel?: string | undefined
  /** -1000 to 1000. */
  readonly oomScoreAdj?: number | undefined
  readonly scheduler?: Scheduler | undefined
  readonly ioPriority?: IoPriority | undefined
  readonly execCpuAffinity?: ExecCpuAffinity | undefined
}

export interface ConsoleSize {
  readonly height: number
  readonly width: number
}

/** @see config.md#posix-platform-user */
export interface UserSpec {
  readonly uid: number
  readonly gid: number
  readonly umask?: number | undefined
  readonly additionalGids: readonly number[]
}

export interface CapabilitySets {
  readonly bounding: readonly Capability[]
  readonly effective: readonly Capability[]
  readonly inheritable: readonly Capability[]
  readonly permitted: readonly Capability[]
  readonly ambient: readonly Capability[]
}

export interface Rlimit {
  readonly type: RlimitName
  /** RLIM_INFINITY is 18446744073709551615. */
  readonly soft: bigint
  readonly hard: bigint
}

/** RLIMIT_* of setrlimit(2) with their numbers on x86-64 and arm64. */
export const RLIMIT_NUMBERS = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
} as const

export type RlimitName = keyof typeof RLIMIT_NUMBERS

/** SCHED_* of sched_setattr(2). */
export const SCHEDULER_POLICIES = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
} as const

/** SCHED_FLAG_* bits of sched_setattr(2). */
export const SCHEDULER_FLAGS = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
} as const

/** @see config.md#linux-process (scheduler) */
export interface Scheduler {
  readonly policy: keyof typeof SCHEDULER_POLICIES
  readonly nice: number
  readonly priority: number
  readonly flags: readonly (keyof typeof SCHEDULER_FLAGS)[]
  readonly runtimeNs: bigint
  readonly deadlineNs: bigint
  readonly periodNs: bigint
}

/** IOPRIO_CLASS_* of ioprio_set(2). */
export const IO_PRIORITY_CLASSES = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
} as const

export interface IoPriority {
  readonly class: keyof typeof IO_PRIORITY_CLASSES
  /** 0 (first) to 7. */
  readonly priority: number
}

/** CPU lists as in cpuset(7): `0-3,7`. */
export interface ExecCpuAffinity {
  readonly initial?: string | undefined
  readonly final?: string | undefined
}

/** @see config.md#mounts */
export interface MountSpec {
  /** As written; a relative one is relative to `/`. */
  readonly destination: string
  /** Left out for a bind mount. */
  readonly type?: string | undefined
  /** As written; for a bind mount a relative one is relative to the bundle. */
  readonly source?: string | undefined
  readonly options: readonly string[]
  /** For `idmap` and `ridmap`; both or none. */
  readonly uidMappings: readonly IdMapping[]
  readonly gidMappings: readonly IdMapping[]
}

export interface IdMapping {
  readonly containerId: number
  readonly hostId: number
  readonly size: number
}

/** The kinds of hook in the order in which they run. */
export const HOOK_KINDS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const

export type HookKind = (typeof HOOK_KINDS)[number]

/** @see config.md#posix-platform-hooks */
export type HooksSpec = Readonly<Record<HookKind, readonly HookSpec[]>>

export interface HookSpec {
  /** Absolute. */
  readonly path: string
  /** argv including argv[0]; `[path]` when left out. */
  readonly args: readonly string[]
  /** The hook's whole environment. */
  readonly env: readonly string[]
  /** Above 0. */
  readonly timeoutSeconds?: number | undefined
}

/** @see config-linux.md */
export interface LinuxSpec {
  /** Each type at most once. A type that is not there is shared with the runtime. */
  readonly namespaces: readonly NamespaceSpec[]
  readonly uidMappings: readonly IdMapping[]
  readonly gidMappings: readonly IdMapping[]
  readonly timeOffsets: Readonly<Partial<Record<TimeClock, TimeOffset>>>
  readonly devices: readonly DeviceSpec[]
  /** Host interface name to what becomes of it. */
  readonly netDevices: Readonly<Record<string, NetDeviceSpec>>
  readonly cgroupsPath?: string | undefined
  readonly resources: LinuxResources
  readonly intelRdt?: IntelRdtSpec | undefined
  /** Keys as written; `sysctlPath` makes a path of one. */
  readonly sysctl: Readonly<Record<string, string>>
  readonly seccomp?: SeccompSpec | undefined
  readonly rootfsPropagation?: RootfsPropagation | undefined
  /** Absolute paths inside the container. */
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  readonly mountLabel?: string | undefined
  readonly personality?: PersonalitySpec | undefined
  readonly memoryPolicy?: MemoryPolicySpec | undefined
}

/** CLONE_NEW* of clone(2) by the names config.json uses. */
export const NAMESPACE_FLAGS = {
  time: 0x00000080,
  mount: 0x00020000,
  cgroup: 0x02000000,
  uts: 0x04000000,
  ipc: 0x08000000,
  user: 0x10000000,
  pid: 0x20000000,
  network: 0x40000000,
} as const

export type NamespaceType = keyof typeof NAMESPACE_FLAGS

/** @see config-linux.md#namespaces */
export interface NamespaceSpec {
  readonly type: NamespaceType
  /** Absolute path of an existing namespace to join; a new one is made without it. */
  readonly path?: string | undefined
}

export type TimeClock = 'monotonic' | 'boottime'

export interface TimeOffset {
  readonly secs: bigint
  readonly nanosecs: number
}

export const ROOTFS_PROPAGATIONS = [
  'shared',
  'slave',
  'private',
  'unbindable',
  'rshared',
  'rslave',
  'rprivate',
  'runbindable',
] as const

export type RootfsPropagation = (typeof ROOTFS_PROPAGATIONS)[number]

/** @see config-linux.md#devices */
export interface DeviceSpec {
  readonly type: 'c' | 'b' | 'u' | 'p'
  /** Absolute path inside the container. */
  readonly path: string
  /** 0 for `p`. */
  readonly major: number
  readonly minor: number
  /** Permission bits; 0666 as runc's default when left out is the planner's decision. */
  readonly fileMode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

export interface NetDeviceSpec {
  /** Name inside the container; unchanged when left out. */
  readonly name?: string | undefined
}

/** @see config-linux.md#intelrdt */
export interface IntelRdtSpec {
  readonly closId?: string | undefined
  readonly schemata: readonly string[]
  readonly l3CacheSchema?: string | undefined
  readonly memBwSchema?: string | undefined
  readonly enableMonitoring: boolean
}

/** Values of personality(2). */
export const PERSONALITY_DOMAINS = {
  LINUX: 0x0000,
  LINUX32: 0x0008,
} as const

export interface PersonalitySpec {
  readonly domain: keyof typeof PERSONALITY_DOMAINS
}

/** @see config-linux.md#memory-policy */
export interface MemoryPolicySpec {
  readonly mode: string
  readonly nodes?: string | undefined
  readonly flags: readonly string[]
}

/** @see config-linux.md#control-groups */
export interface LinuxResources {
  /** In order; a later rule wins. The deny-all before the first is implicit (S-07). */
  readonly devices?: readonly DeviceRule[] | undefined
  readonly memory?: MemoryResources | undefined
  readonly cpu?: CpuResources | undefined
  readonly pids?: { readonly limit: bigint } | undefined
  readonly blockIO?: BlockIoResources | undefined
  readonly hugepageLimits?: readonly HugepageLimit[] | undefined
  readonly network?: NetworkResources | undefined
  /** Device name to limits. */
  readonly rdma?: Readonly<Record<string, RdmaLimit>> | undefined
  /** cgroup v2 file name to the text that is written into it. */
  readonly unified?: Readonly<Record<string, string>> | undefined
}

/** @see config-linux.md#allowed-device-list */
export interface DeviceRule {
  readonly allow: boolean
  readonly type: 'a' | 'c' | 'b'
  /** `undefined` is any. */
  readonly major?: number | undefined
  readonly minor?: number | undefined
  readonly access: DeviceAccess
}

export interface DeviceAccess {
  readonly read: boolean
  readonly write: boolean
  readonly mknod: boolean
}

/** Limits in bytes; -1 is unlimited. @see config-linux.md#memory */
export interface MemoryResources {
  readonly limit?: bigint | undefined
  readonly reservation?: bigint | undefined
  /** Memory and swap together, as on cgroup v1. */
  readonly swap?: bigint | undefined
  readonly kernel?: bigint | undefined
  readonly kernelTcp?: bigint | undefined
  /** 0 to 100. */
  readonly swappiness?: bigint | undefined
  readonly disableOomKiller?: boolean | undefined
  readonly useHierarchy?: boolean | undefined
  readonly checkBeforeUpdate?: boolean | undefined
}

/** @see config-linux.md#cpu */
export interface CpuResources {
  readonly shares?: bigint | undefined
  /** Microseconds per period; below 1 is unlimited. */
  readonly quota?: bigint | undefined
  readonly burst?: bigint | undefined
  /** Microseconds. */
  readonly period?: bigint | undefined
  readonly realtimeRuntime?: bigint | undefined
  readonly realtimePeriod?: bigint | undefined
  /** CPU list: `0-3,7`. */
  readonly cpus?: string | undefined
  readonly mems?: string | undefined
  /** 1: SCHED_IDLE. */
  readonly idle?: bigint | undefined
}

/** @see config-linux.md#block-io */
export interface BlockIoResources {
  readonly weight?: number | undefined
  readonly leafWeight?: number | undefined
  readonly weightDevice: readonly BlockIoWeightDevice[]
  readonly throttleReadBpsDevice: readonly BlockIoThrottle[]
  readonly throttleWriteBpsDevice: readonly BlockIoThrottle[]
  readonly throttleReadIOPSDevice: readonly BlockIoThrottle[]
  readonly throttleWriteIOPSDevice: readonly BlockIoThrottle[]
}

export interface BlockIoWeightDevice {
  readonly major: number
  readonly minor: number
  readonly weight?: number | undefined
  readonly leafWeight?: number | undefined
}

export interface BlockIoThrottle {
  readonly major: number
  readonly minor: number
  /** Bytes or operations per second. */
  readonly rate: bigint
}

export interface HugepageLimit {
  /** As the kernel names it: `2MB`, `1GB`. */
  readonly pageSize: string
  readonly limitBytes: bigint
}

/** cgroup v1 only. */
export interface NetworkResources {
  readonly classId?: number | undefined
  readonly priorities: readonly { readonly name: string; readonly priority: number }[]
}

export interface RdmaLimit {
  readonly hcaHandles?: number | undefined
  readonly hcaObjects?: number | undefined
}
