/** Rules between members: what each is right alone but the document as a whole cannot mean. */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { sysctlNamespace, sysctlPath } from './sysctl.ts'
import type { NamespaceType, Spec } from './types.ts'

const HOST_NAME_MAX_BYTES = 64

/** @throws invalidArgument with the JSON pointer */
export function checkConsistency(spec: Spec): void {
  checkUserNamespace(spec)
  checkHostNames(spec)
  checkSysctl(spec)
  const { linux } = spec
  if (linux.maskedPaths.length > 0) requireNamespace(spec, 'mount', '/linux/maskedPaths')
  if (linux.readonlyPaths.length > 0) requireNamespace(spec, 'mount', '/linux/readonlyPaths')
  if (Object.keys(linux.timeOffsets).length > 0) {
    requireNamespace(spec, 'time', '/linux/timeOffsets')
  }
}

function checkUserNamespace(spec: Spec): void {
  const { namespaces, uidMappings, gidMappings } = spec.linux
  const isMapped = uidMappings.length > 0 || gidMappings.length > 0
  const user = namespaces.find(({ type }) => type === 'user')
  if (user === undefined) {
    if (isMapped) {
      fail('/linux/uidMappings', 'id mappings without a user namespace', 'both or none')
    }
    return
  }
  if (user.path !== undefined) return
  if (uidMappings.length === 0) fail('/linux/uidMappings', 'nothing', USER_MAPPINGS_WANTED)
  if (gidMappings.length === 0) fail('/linux/gidMappings', 'nothing', USER_MAPPINGS_WANTED)
}

const USER_MAPPINGS_WANTED = 'at least one mapping for the new user namespace'

function checkHostNames(spec: Spec): void {
  for (const [pointer, name] of [
    ['/hostname', spec.hostname],
    ['/domainname', spec.domainname],
  ] as const) {
    if (name === undefined) continue
    requireNamespace(spec, 'uts', pointer)
    if (Buffer.byteLength(name) > HOST_NAME_MAX_BYTES) {
      fail(pointer, `${Buffer.byteLength(name)} bytes`, `at most ${HOST_NAME_MAX_BYTES}`)
    }
  }
}

/** A parameter of the host's namespaces would change the host. */
function checkSysctl(spec: Spec): void {
  for (const name of Object.keys(spec.linux.sysctl)) {
    const pointer = `/linux/sysctl/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const path = sysctlPath(name)
    if (path === undefined)
      return fail(pointer, JSON.stringify(name), 'a name like net.core.somaxconn')
    const namespace = sysctlNamespace(path)
    if (namespace === undefined) {
      fail(pointer, 'a parameter of the whole machine', 'one that belongs to a namespace')
    } else {
      requireNamespace(spec, namespace, pointer)
    }
  }
}

function requireNamespace(spec: Spec, wanted: NamespaceType, pointer: string): void {
  if (spec.linux.namespaces.some(({ type }) => type === wanted)) return
  fail(pointer, 'no such namespace in /linux/namespaces', `a ${wanted} namespace to set this in`)
}

function fail(pointer: string, found: string, wanted: string): never {
  throw new PlatformError('invalidArgument', {
    action: 'parse config.json',
    step: pointer,
    found,
    wanted,
  })
}
