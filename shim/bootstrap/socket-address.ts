/** Where a shim listens. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { ShimIdentity } from './identity.ts'

/** sun_path holds 108 bytes with its terminator; containerd refuses more than 106. */
export const MAX_SOCKET_PATH_BYTES = 106
const FULL_HASH_CHARACTERS = 64
/** 128 bits: no two groups of one daemon meet. */
const SHORT_HASH_CHARACTERS = 32
const FALLBACK_DIRECTORY = '/run/berth/s'

export interface SocketAddress {
  readonly directory: string
  readonly path: string
}

/**
 * `<state>/s/<sha256 of daemon address, namespace and group>`, as containerd names its shims' sockets. A long
 * state directory gets a shorter hash, and one that is too long even for that the common directory.
 */
export function shimSocketAddress(
  {
    address,
    namespace,
    stateDirectory,
  }: Pick<ShimIdentity, 'address' | 'namespace' | 'stateDirectory'>,
  group: string,
): SocketAddress {
  const hash = createHash('sha256')
    .update(join(address, namespace, group))
    .digest('hex')
  const directory = join(stateDirectory, 's')
  for (const characters of [FULL_HASH_CHARACTERS, SHORT_HASH_CHARACTERS]) {
    const path = join(directory, hash.slice(0, characters))
    if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return { directory, path }
  }
  return { directory: FALLBACK_DIRECTORY, path: join(FALLBACK_DIRECTORY, hash) }
}
