/** The devices and links every container gets, and those the Spec adds. @see runtime-spec v1.3 config-linux.md#default-devices */
import type { Operation } from '../../native/generated/operations.ts'
import type { DeviceSpec, Spec } from '../spec/types.ts'
import { FILE_TYPE } from './kernel.ts'

const DEFAULT_DEVICES: readonly DeviceSpec[] = [
  { type: 'c', path: '/dev/null', major: 1, minor: 3 },
  { type: 'c', path: '/dev/zero', major: 1, minor: 5 },
  { type: 'c', path: '/dev/full', major: 1, minor: 7 },
  { type: 'c', path: '/dev/random', major: 1, minor: 8 },
  { type: 'c', path: '/dev/urandom', major: 1, minor: 9 },
  { type: 'c', path: '/dev/tty', major: 5, minor: 0 },
]

const DEFAULT_LINKS: readonly (readonly [string, string])[] = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/core', '/proc/kcore'],
  ['/dev/ptmx', 'pts/ptmx'],
]

/** Permission bits of a device that does not say. */
const DEFAULT_MODE = 0o666

/** A user namespace may not mknod: its devices are bound from the host. */
export function planDevices(spec: Spec): readonly Operation[] {
  const inUserNamespace = spec.linux.namespaces.some(({ type }) => type === 'user')
  const own = new Set(spec.linux.devices.map(({ path }) => path))
  const devices = [...DEFAULT_DEVICES.filter(({ path }) => !own.has(path)), ...spec.linux.devices]
  return [
    ...devices.map((device): Operation => (inUserNamespace ? planBind(device) : planNode(device))),
    ...DEFAULT_LINKS.map(([path, target]): Operation => ({ op: 'makeSymlink', target, path })),
  ]
}

function planBind({ path }: DeviceSpec): Operation {
  return { op: 'bindDevice', path }
}

function planNode({ type, path, major, minor, fileMode, uid, gid }: DeviceSpec): Operation {
  return {
    op: 'makeDevice',
    path,
    mode: fileType(type) | (fileMode ?? DEFAULT_MODE),
    major,
    minor,
    uid: uid ?? 0,
    gid: gid ?? 0,
  }
}

function fileType(type: DeviceSpec['type']): number {
  switch (type) {
    case 'c':
    case 'u':
      return FILE_TYPE.CHARACTER
    case 'b':
      return FILE_TYPE.BLOCK
    case 'p':
      return FILE_TYPE.FIFO
  }
}
