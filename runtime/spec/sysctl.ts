/** Names of kernel parameters. @see runtime-spec v1.3 config-linux.md#sysctl, sysctl(8) */
import type { NamespaceType } from './types.ts'

/** The parameters of the ipc namespace. @see ipc_namespaces(7) */
const IPC_PARAMETERS = new Set([
  'kernel/msgmax',
  'kernel/msgmnb',
  'kernel/msgmni',
  'kernel/sem',
  'kernel/shmall',
  'kernel/shmmax',
  'kernel/shmmni',
  'kernel/shm_rmid_forced',
])

/**
 * The parameter's path below /proc/sys, or undefined when the name is none.
 *
 * The first separator decides what separates, as in sysctl(8): `net.ipv4.conf.eth0/1.forwarding` and
 * `net/ipv4/conf/eth0.1/forwarding` name the same file.
 */
export function sysctlPath(name: string): string | undefined {
  const separator = /[./]/.exec(name)?.[0]
  const path =
    separator === '.' ? name.replace(/[./]/g, (character) => (character === '.' ? '/' : '.')) : name
  const parts = path.split('/')
  const isPath = parts.every((part) => part !== '' && part !== '.' && part !== '..')
  return isPath && !path.includes('\0') ? path : undefined
}

/**
 * The namespace a parameter belongs to. `undefined`: it belongs to the whole machine (or is the host
 * name, which has a field of its own), and a container must not set it.
 */
export function sysctlNamespace(path: string): NamespaceType | undefined {
  if (path.startsWith('net/')) return 'network'
  if (path.startsWith('fs/mqueue/') || IPC_PARAMETERS.has(path)) return 'ipc'
  if (path === 'kernel/domainname') return 'uts'
  return undefined
}
