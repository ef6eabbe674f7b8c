import { lookup, type LookupAddress } from 'node:dns'
import { BlockList, isIPv6, type LookupFunction } from 'node:net'
import { PlatformError } from '../../proto/errors/platform-error.ts'

/** Addresses that a registry must not send us to: this machine and its link (security.md S-83, S-84). */
const local = new BlockList()
local.addSubnet('0.0.0.0', 8, 'ipv4')
local.addSubnet('127.0.0.0', 8, 'ipv4')
local.addSubnet('169.254.0.0', 16, 'ipv4')
local.addAddress('::', 'ipv6')
local.addAddress('::1', 'ipv6')
local.addSubnet('fe80::', 10, 'ipv6')

const MAPPED = /^::ffff:(?:([0-9.]+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i

export function isLocalAddress(address: string): boolean {
  const mapped = MAPPED.exec(address)
  if (mapped !== null) {
    const [, dotted, high = '0', low = '0'] = mapped
    return isLocalAddress(dotted ?? dottedOf(Number.parseInt(high, 16), Number.parseInt(low, 16)))
  }
  return local.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

function dottedOf(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

const LOOPBACK_HOST = /^(?:localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|\[::1\])$/

/** A registry on this machine: reached over plain HTTP unless told otherwise. */
export function isLoopbackHost(hostname: string): boolean {
  return LOOPBACK_HOST.test(hostname)
}

/**
 * A resolver for connections to places that the user did not name. It looks at the address that is connected
 * to, not at the name, which could mean something else a moment later.
 */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, [])
      return
    }
    const refused = addresses.find(({ address }) => isLocalAddress(address))
    if (refused !== undefined) {
      callback(localRefused(hostname, refused.address), [])
      return
    }
    answer(options.all === true, addresses, callback)
  })
}

function answer(
  isAll: boolean,
  addresses: LookupAddress[],
  callback: Parameters<LookupFunction>[2],
): void {
  const [first] = addresses
  if (isAll) callback(null, addresses)
  else callback(null, first?.address ?? '', first?.family)
}

/** The failure for a registry that sends us to ourselves. */
export function localRefused(hostname: string, address: string): PlatformError {
  return new PlatformError('permissionDenied', {
    action: 'connect to',
    subject: hostname,
    found: `the local address ${address}, where the registry sent us`,
    wanted: 'a public address',
  })
}
