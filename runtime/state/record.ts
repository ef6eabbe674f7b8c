/**
 * What is kept about a container: what cannot be found out otherwise. The status is not among it; it is
 * derived from the kernel (`status.ts`), so it cannot be wrong.
 *
 * Members that runc's state.json has too carry the same names.
 */
import { ObjectReader, UINT64 } from '../spec/reader.ts'
import { parseJson } from '../spec/json.ts'
import type { CgroupPaths } from '../cgroups/cgroup-path.ts'

const RECORD_VERSION = 1

export interface ContainerRecord {
  readonly id: string
  readonly ociVersion: string
  /** Absolute. */
  readonly bundle: string
  /** Absolute, on the host. */
  readonly rootfs: string
  /** RFC 3339. */
  readonly created: string
  readonly annotations: Readonly<Record<string, string>>
  /** Empty until the cgroups are about to be made. */
  readonly cgroupPaths: CgroupPaths
  /** undefined until there is a process. */
  readonly init?: InitIdentity | undefined
}

/** A process, told apart from a later one with the same pid (S-25). */
export interface InitIdentity {
  /** In our pid namespace. */
  readonly pid: number
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly startTimeTicks: bigint
  /** /proc/sys/kernel/random/boot_id */
  readonly bootId: string
}

export function encodeRecord(record: ContainerRecord): string {
  const { init } = record
  // Ticks since boot stay far below 2^53.
  return JSON.stringify({
    version: RECORD_VERSION,
    id: record.id,
    oci_version: record.ociVersion,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    annotations: record.annotations,
    cgroup_paths: record.cgroupPaths,
    init_process_pid: init?.pid ?? 0,
    init_process_start: Number(init?.startTimeTicks ?? 0n),
    boot_id: init?.bootId ?? '',
  })
}

/** @throws invalidArgument for anything this version did not write */
export function parseRecord(text: string): ContainerRecord {
  const reader = ObjectReader.root(parseJson(text, 'state.json'), 'state.json')
  reader.integer('version', { min: RECORD_VERSION, max: RECORD_VERSION })
  const pid = reader.integer('init_process_pid', { min: 0, max: 0x7fff_ffff })
  const cgroupPaths = reader.stringMap('cgroup_paths')
  for (const path of Object.values(cgroupPaths)) {
    // These directories are removed in the end: nothing but an absolute path without detours.
    if (!path.startsWith('/') || path.split('/').includes('..')) {
      reader.fail('cgroup_paths', 'absolute paths without ..', JSON.stringify(path))
    }
  }
  return {
    id: reader.string('id'),
    ociVersion: reader.string('oci_version'),
    bundle: reader.absolutePath('bundle'),
    rootfs: reader.absolutePath('rootfs'),
    created: reader.string('created'),
    annotations: reader.stringMap('annotations', { allowNul: true }),
    cgroupPaths,
    init:
      pid === 0
        ? undefined
        : {
            pid,
            startTimeTicks: reader.bigint('init_process_start', UINT64),
            bootId: reader.string('boot_id'),
          },
  }
}
