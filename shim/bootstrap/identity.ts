/** Who a shim works for: the daemon's addresses, the namespace, and the directories derived from them. */
import { dirname, join } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ShimArguments } from './arguments.ts'

export interface ShimIdentity {
  readonly namespace: string
  readonly id: string
  /** gRPC socket of the daemon. */
  readonly address: string
  /** Where events are forwarded to; undefined when the daemon gave none. */
  readonly ttrpcAddress: string | undefined
  readonly publishBinary: string
  /** Directory of the daemon's socket: shims of different daemons on one machine never meet. */
  readonly stateDirectory: string
  readonly isDebug: boolean
}

/** Names that become parts of paths: what containerd accepts as an identifier, without its length limit. */
const SAFE_NAME = /^[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*$/

/**
 * @param env `TTRPC_ADDRESS`, and `GRPC_ADDRESS` or `NAMESPACE` where the flag is absent
 * @throws invalidArgument when id or namespace are missing or could leave their directory
 */
export function identify(
  args: ShimArguments,
  env: Readonly<Record<string, string | undefined>>,
): ShimIdentity {
  const namespace = args.namespace === '' ? (env['NAMESPACE'] ?? '') : args.namespace
  const address = args.address === '' ? (env['GRPC_ADDRESS'] ?? '') : args.address
  checkName('namespace', namespace)
  checkName('id', args.id)
  const ttrpcAddress = env['TTRPC_ADDRESS']
  return {
    namespace,
    id: args.id,
    address,
    ttrpcAddress:
      ttrpcAddress === undefined || ttrpcAddress === '' ? undefined : socketPath(ttrpcAddress),
    publishBinary: args.publishBinary,
    stateDirectory: stateDirectoryOf(address),
    isDebug: args.isDebug,
  }
}

function checkName(flag: string, value: string): void {
  if (SAFE_NAME.test(value)) return
  throw new PlatformError('invalidArgument', {
    action: 'read the command line',
    found: value === '' ? `no -${flag}` : `-${flag} ${value}`,
    wanted: `-${flag} made of letters and digits with . _ - between them`,
  })
}

/** Takes `unix:///run/x.sock` and `/run/x.sock`. */
export function socketPath(address: string): string {
  return address.replace(/^unix:\/\//, '')
}

function stateDirectoryOf(address: string): string {
  const path = socketPath(address)
  return path.startsWith('/') ? dirname(path) : '/run/berth'
}

/** Where the in-process runtime keeps the state of this namespace's containers. */
export function runtimeRootOf(identity: ShimIdentity, kind: 'berth' | 'oci', root: string): string {
  if (root !== '') return join(root, identity.namespace)
  // The second is where containerd's own shim has runc keep its state, so `runc --root` finds it there.
  const directory = kind === 'berth' ? 'berth-runtime' : 'runc'
  return join(identity.stateDirectory, directory, identity.namespace)
}
