import type { ProcessSpec, Spec } from '../../spec/types.ts'

/** The smallest Spec that can be planned; tests add what they are about. */
export function minimalSpec(change: Partial<Spec> = {}): Spec {
  return {
    ociVersion: '1.3.0',
    root: { path: 'rootfs', readonly: false },
    process: minimalProcess(),
    mounts: [],
    hooks: {
      prestart: [],
      createRuntime: [],
      createContainer: [],
      startContainer: [],
      poststart: [],
      poststop: [],
    },
    annotations: {},
    ...change,
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'pid' }],
      uidMappings: [],
      gidMappings: [],
      timeOffsets: {},
      devices: [],
      netDevices: {},
      resources: {},
      sysctl: {},
      maskedPaths: [],
      readonlyPaths: [],
      ...change.linux,
    },
  }
}

export function minimalProcess(change: Partial<ProcessSpec> = {}): ProcessSpec {
  return {
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [] },
    args: ['sh'],
    env: ['PATH=/bin:/usr/bin', 'HOME=/root'],
    cwd: '/',
    capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    rlimits: [],
    noNewPrivileges: true,
    ...change,
  }
}
