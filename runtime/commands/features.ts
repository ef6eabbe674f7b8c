import { supportedMountOptions } from '../plan/mount-options.ts'
import { CAPABILITY_NUMBERS } from '../spec/capabilities.ts'
import {
  SECCOMP_ACTION_NAMES,
  SECCOMP_ARCHITECTURE_NAMES,
  SECCOMP_FLAG_NAMES,
  SECCOMP_OPERATOR_NAMES,
} from '../spec/seccomp-types.ts'
import { HOOK_KINDS, NAMESPACE_FLAGS } from '../spec/types.ts'
import { RUNTIME_VERSION, SPEC_VERSION } from '../version.ts'
import { defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'features',
  flags: {},
  positionals: [0, 0],
  run: (_, { print }) => {
    print(`${JSON.stringify(features(), undefined, 2)}\n`)
    return Promise.resolve(0)
  },
})

/** @see runtime-spec v1.3 features.md, features-linux.md */
export function features(): object {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: SPEC_VERSION,
    hooks: HOOK_KINDS,
    mountOptions: supportedMountOptions(),
    linux: {
      namespaces: Object.keys(NAMESPACE_FLAGS).sort(),
      capabilities: Object.keys(CAPABILITY_NUMBERS),
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true },
      seccomp: {
        enabled: true,
        // Notifications need a listener, which is not supported yet.
        actions: SECCOMP_ACTION_NAMES.filter((action) => action !== 'SCMP_ACT_NOTIFY'),
        operators: SECCOMP_OPERATOR_NAMES,
        archs: SECCOMP_ARCHITECTURE_NAMES,
        knownFlags: SECCOMP_FLAG_NAMES,
        supportedFlags: SECCOMP_FLAG_NAMES,
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: false },
      memoryPolicy: {},
      mountExtensions: { idmap: { enabled: false } },
      netDevices: { enabled: false },
    },
    annotations: { 'dev.berth.runtime.version': RUNTIME_VERSION },
  }
}
