/**
 * What a shim answers when it is started, and what is kept of it in the bundle for the next manager.
 *
 * @see containerd-behaviour.md §i (stdout)
 */
import { BootstrapResult } from '../../proto/generated/containerd/runtime/bootstrap/v1/bootstrap.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'

export interface ShimEndpoint {
  /** Of the task service: containerd.task.v2 or v3. */
  readonly version: 2 | 3
  /** Absolute path of the shim's unix socket. */
  readonly socketPath: string
}

const UNIX = 'unix://'

/**
 * Reads a shim's answer in any of its three forms: a protobuf BootstrapResult (2.3+), JSON (1.7 to 2.2),
 * a plain address (before).
 *
 * @throws invalidArgument when it is none of them, unimplemented when it does not speak ttrpc
 */
export function parseBootstrapAnswer(stdout: Uint8Array): ShimEndpoint {
  const text = Buffer.from(stdout).toString('utf8').trim()
  if (text === '') throw unreadable('nothing')
  if (text.startsWith('{')) return parseJson(text)
  // No protobuf answer begins with a letter: field 1 of a BootstrapResult is tagged 0x08, field 2 0x12.
  if (text.startsWith('unix:') || text.startsWith('/')) return endpoint(2, text, 'ttrpc')
  return parseProtobuf(stdout)
}

/** The content of bootstrap.json, as containerd writes it. */
export function encodeBootstrapFile({ version, socketPath }: ShimEndpoint): string {
  return JSON.stringify({ version, address: UNIX + socketPath, protocol: 'ttrpc' })
}

function parseJson(text: string): ShimEndpoint {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw unreadable(JSON.stringify(text.slice(0, 200)), cause)
  }
  if (typeof value !== 'object' || value === null) throw unreadable(text)
  const { version, address, protocol }: Readonly<Record<string, unknown>> = { ...value }
  if (typeof version !== 'number' || typeof address !== 'string') throw unreadable(text)
  return endpoint(version, address, typeof protocol === 'string' ? protocol : 'ttrpc')
}

function parseProtobuf(bytes: Uint8Array): ShimEndpoint {
  let result: BootstrapResult
  try {
    result = BootstrapResult.decode(bytes)
  } catch (cause) {
    throw unreadable(JSON.stringify(Buffer.from(bytes).toString('latin1').slice(0, 200)), cause)
  }
  if (result.address === '') {
    throw unreadable(JSON.stringify(Buffer.from(bytes).toString('latin1').slice(0, 200)))
  }
  return endpoint(result.version, result.address, result.protocol)
}

function endpoint(version: number, address: string, protocol: string): ShimEndpoint {
  if (protocol !== '' && protocol !== 'ttrpc') {
    throw new PlatformError('unimplemented', {
      action: 'connect to the shim',
      found: `protocol ${protocol}`,
      wanted: 'ttrpc',
    })
  }
  if (version !== 2 && version !== 3) {
    throw new PlatformError('unimplemented', {
      action: 'connect to the shim',
      found: `task service version ${String(version)}`,
      wanted: '2 or 3',
    })
  }
  const socketPath = address.startsWith(UNIX) ? address.slice(UNIX.length) : address
  if (!socketPath.startsWith('/')) {
    // Abstract sockets can be reached from containers in the host's network namespace.
    throw new PlatformError('invalidArgument', {
      action: 'connect to the shim',
      found: `address ${JSON.stringify(address)}`,
      wanted: 'unix:// and an absolute path',
    })
  }
  return { version, socketPath }
}

function unreadable(found: string, cause?: unknown): PlatformError {
  return new PlatformError(
    'invalidArgument',
    {
      action: 'read the answer of the shim',
      found,
      wanted: 'an address, JSON or a BootstrapResult',
    },
    { cause },
  )
}
