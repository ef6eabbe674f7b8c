/**
 * What config.json can ask for and this version cannot do. It is refused by name before anything is made;
 * ignoring it would run a container that is not what was asked for. Delete a row when the planner
 * learns to do it.
 */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ProcessSpec, Spec } from './types.ts'

interface Limitation<T> {
  /** JSON pointer of what is refused. */
  readonly pointer: string
  isAsked(value: T): boolean
}

const SPEC_LIMITATIONS: readonly Limitation<Spec>[] = [
  {
    pointer: '/linux/netDevices',
    isAsked: ({ linux }) => Object.keys(linux.netDevices).length > 0,
  },
  { pointer: '/linux/intelRdt', isAsked: ({ linux }) => linux.intelRdt !== undefined },
  { pointer: '/linux/memoryPolicy', isAsked: ({ linux }) => linux.memoryPolicy !== undefined },
  {
    pointer: '/linux/seccomp/listenerPath',
    isAsked: ({ linux }) => linux.seccomp?.listenerPath !== undefined,
  },
  {
    pointer: '/linux/seccomp (SCMP_ACT_NOTIFY)',
    isAsked: ({ linux }) =>
      linux.seccomp?.defaultAction === 'SCMP_ACT_NOTIFY' ||
      linux.seccomp?.syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY') === true,
  },
]

/** Relative to the process object, so that they hold for `exec` too. */
const PROCESS_LIMITATIONS: readonly Limitation<ProcessSpec>[] = [
  { pointer: '/execCPUAffinity', isAsked: (process) => process.execCpuAffinity !== undefined },
]

/** @throws unimplemented with the JSON pointer of the first thing that cannot be done */
export function refuseUnsupported(spec: Spec): void {
  refuse(spec, SPEC_LIMITATIONS, '')
  refuseUnsupportedProcess(spec.process, '/process')
}

/** @param pointer where the process object stands: `/process`, or empty for a document of its own */
export function refuseUnsupportedProcess(process: ProcessSpec, pointer = ''): void {
  refuse(process, PROCESS_LIMITATIONS, pointer)
}

function refuse<T>(value: T, limitations: readonly Limitation<T>[], prefix: string): void {
  const asked = limitations.find((limitation) => limitation.isAsked(value))
  if (asked === undefined) return
  throw new PlatformError('unimplemented', {
    action: 'use config.json',
    step: prefix + asked.pointer,
    hint: 'this version of berth-runtime cannot do this yet',
  })
}
