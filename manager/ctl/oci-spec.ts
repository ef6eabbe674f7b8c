/**
 * The OCI configuration of a container: containerd's default sandbox, plus what the image and the
 * user ask for. Pure: what is to be looked up in the image has been looked up.
 *
 * @see hardening.md §1 (containerd default spec), runtime-spec config.md
 */

/** The parts of an image's configuration that say how to run it. */
export interface ImageConfig {
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly env: readonly string[]
  /** Empty for `/`. */
  readonly workingDirectory: string
  /** `user[:group]`, names or numbers; empty for root. */
  readonly user: string
  /** `SIGTERM`, `15`, or empty. */
  readonly stopSignal: string
}

export interface ContainerUser {
  readonly uid: number
  readonly gid: number
  readonly additionalGids: readonly number[]
}

export interface SpecOptions {
  readonly namespace: string
  readonly id: string
  readonly image: ImageConfig
  /** The resolved user: the one asked for, else the image's. */
  readonly user: ContainerUser
  /** Replaces the image's command, not its entrypoint. Empty for the image's. */
  readonly command: readonly string[]
  /** `NAME=value`, on top of the image's. */
  readonly env: readonly string[]
  /** Instead of the image's working directory. */
  readonly workingDirectory?: string | undefined
  readonly terminal: boolean
  readonly hostname?: string | undefined
  /** With cgroup v2 the container gets a cgroup namespace. */
  readonly hasUnifiedCgroups: boolean
}

export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
] as const

const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
] as const

const READONLY_PATHS = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
] as const

const MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
  },
  {
    destination: '/dev/mqueue',
    type: 'mqueue',
    source: 'mqueue',
    options: ['nosuid', 'noexec', 'nodev'],
  },
  {
    destination: '/sys',
    type: 'sysfs',
    source: 'sysfs',
    options: ['nosuid', 'noexec', 'nodev', 'ro'],
  },
  {
    destination: '/run',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
] as const

/** The configuration as it stands in config.json. */
export function createSpec(options: SpecOptions): object {
  const { namespace, id, hostname, hasUnifiedCgroups } = options
  const namespaces = [
    'pid',
    'ipc',
    'uts',
    'mount',
    'network',
    ...(hasUnifiedCgroups ? ['cgroup'] : []),
  ]
  return {
    ociVersion: '1.1.0',
    process: createProcess(options, programOf(options)),
    root: { path: 'rootfs' },
    ...(hostname === undefined ? {} : { hostname }),
    mounts: MOUNTS,
    linux: {
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      cgroupsPath: `/${namespace}/${id}`,
      namespaces: namespaces.map((type) => ({ type })),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  }
}

/** What is to be executed: the user's command or the image's, behind the image's entrypoint. */
export function programOf({
  image,
  command,
}: Pick<SpecOptions, 'image' | 'command'>): readonly string[] {
  return [...image.entrypoint, ...(command.length > 0 ? command : image.command)]
}

function createProcess(options: SpecOptions, args: readonly string[]): object {
  const { image, user, terminal } = options
  const directory = options.workingDirectory ?? image.workingDirectory
  return {
    terminal,
    user,
    args,
    env: mergeEnv([DEFAULT_PATH, ...(terminal ? ['TERM=xterm'] : [])], image.env, options.env),
    cwd: directory === '' ? '/' : directory,
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  }
}

/** Later values of a name win; it keeps the place where it came first. A name without `=` is taken out. */
export function mergeEnv(...lists: readonly (readonly string[])[]): readonly string[] {
  const values = new Map<string, string>()
  for (const entry of lists.flat()) {
    const at = entry.indexOf('=')
    if (at < 0) values.delete(entry)
    else values.set(entry.slice(0, at), entry)
  }
  return [...values.values()]
}
