/** The OCI configuration the demo's container gets: what containerd's clients give by default. */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ImageConfig } from './image.ts'

/** The namespaces the container gets for itself. */
const NAMESPACES = ['pid', 'ipc', 'uts', 'mount', 'network', 'cgroup'] as const

const CAPABILITIES = [
  'CAP_AUDIT_WRITE',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_MKNOD',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
]

const MASKED = [
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/sched_debug',
  '/sys/firmware',
]

const READONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

const NO_EXECUTION = ['nosuid', 'noexec', 'nodev']

const MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc', options: NO_EXECUTION },
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
    options: [...NO_EXECUTION, 'mode=1777', 'size=65536k'],
  },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: NO_EXECUTION },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...NO_EXECUTION, 'ro'] },
  {
    destination: '/run',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
]

/**
 * @param args of the person; they follow the image's entry point, or replace its default command
 * @see runtime-spec v1.3 config.md
 */
export function specOf(id: string, image: ImageConfig, args: readonly string[]): object {
  const { Entrypoint, Cmd, Env, WorkingDir, User } = image.config ?? {}
  const command = [...(Entrypoint ?? []), ...(args.length > 0 ? args : (Cmd ?? []))]
  if (command.length === 0) {
    throw new PlatformError('invalidArgument', {
      action: 'run',
      found: 'neither a command nor an image that has one',
      hint: 'npm run demo -- IMAGE COMMAND',
    })
  }
  return {
    ociVersion: '1.0.2',
    hostname: id,
    root: { path: 'rootfs' },
    process: {
      args: command,
      env: Env ?? ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      cwd: WorkingDir === undefined || WorkingDir === '' ? '/' : WorkingDir,
      user: parseUser(User ?? ''),
      noNewPrivileges: true,
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1024 }],
    },
    mounts: MOUNTS,
    linux: {
      cgroupsPath: `/${id}`,
      namespaces: NAMESPACES.map((type) => ({ type })),
      maskedPaths: MASKED,
      readonlyPaths: READONLY,
      resources: { devices: [{ allow: false, access: 'rwm' }] },
    },
  }
}

/** The image's user; names would need a look into its /etc/passwd. */
function parseUser(user: string): { readonly uid: number; readonly gid: number } {
  const match = /^(?:root)?(\d*)(?::(\d+))?$/.exec(user)
  if (match === null) {
    throw new PlatformError('unimplemented', {
      action: 'run as the user of the image',
      found: user,
      wanted: 'a number, or a number with a group, as in 1000:1000',
    })
  }
  const [, uid = '', gid = ''] = match
  return { uid: Number(uid), gid: Number(gid) }
}
