/** Which namespaces a process has that we have not: what `exec` joins. */
import { readlinkSync } from 'node:fs'
import { wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { NamespaceType } from '../spec/types.ts'

/** User first: it owns the others. Mount last: it changes what paths mean. The names are those of /proc/PID/ns. */
const NAMESPACE_FILES: readonly (readonly [NamespaceType, string])[] = [
  ['user', 'user'],
  ['ipc', 'ipc'],
  ['uts', 'uts'],
  ['network', 'net'],
  ['pid', 'pid'],
  ['cgroup', 'cgroup'],
  ['time', 'time'],
  ['mount', 'mnt'],
]

export interface NamespaceFile {
  readonly type: NamespaceType
  readonly path: string
}

/** @param pid of a process that a pidfd of the caller keeps from being somebody else's */
export function namespacesToJoin(pid: number): readonly NamespaceFile[] {
  return NAMESPACE_FILES.flatMap(([type, file]) => {
    const path = `/proc/${String(pid)}/ns/${file}`
    return identify(path) === identify(`/proc/self/ns/${file}`) ? [] : [{ type, path }]
  })
}

/** `net:[4026531840]` names a namespace for as long as it lives. */
function identify(path: string): string {
  try {
    return readlinkSync(path)
  } catch (error) {
    throw wrapSystemError(error, { action: 'read namespace', path })
  }
}
