/** Where a shim listens. */
import { basename, join } from 'node:path'
import type { ShimIdentity } from './identity.ts'

/** sun_path holds 108 bytes with its terminator; containerd refuses more than 106. */
export const MAX_SOCKET_PATH_BYTES = 106
const FULL_HASH_CHARACTERS = 64
/** 128 bits: no two groups of one daemon meet. */
const SHORT_HASH_CHARACTERS = 32
const FALLBACK_DIRECTORY = '/run/berth/s'
/** What cannot leave the directory, and cannot be taken for a separator. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

export interface SocketAddress {
  readonly directory: string
  readonly path: string
}

/**
 * `<state>/s/<daemon>:<namespace>:<group>` where that fits, so that a person can read it and no hash has to be
 * loaded (2 of 14 ms of a start). Otherwise the sha256 of daemon address, namespace and group, as
 * containerd's own shims are named, shortened or in the common directory when even that is too long.
 */
export async function shimSocketAddress(
  {
    address,
    namespace,
    stateDirectory,
  }: Pick<ShimIdentity, 'address' | 'namespace' | 'stateDirectory'>,
  group: string,
): Promise<SocketAddress> {
  const directory = join(stateDirectory, 's')
  const names = [basename(address), namespace, group]
  const plain = join(directory, names.join(':'))
  if (names.every((name) => PLAIN_NAME.test(name)) && fits(plain)) return { directory, path: plain }
  const { createHash } = await import('node:crypto')
  const hash = createHash('sha256')
    .update(join(address, namespace, group))
    .digest('hex')
  for (const characters of [FULL_HASH_CHARACTERS, SHORT_HASH_CHARACTERS]) {
    const path = join(directory, hash.slice(0, characters))
    if (fits(path)) return { directory, path }
  }
  return { directory: FALLBACK_DIRECTORY, path: join(FALLBACK_DIRECTORY, hash) }
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES
}
