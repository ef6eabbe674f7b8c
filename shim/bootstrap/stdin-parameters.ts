/** What the daemon writes to the standard input of `start`. */
import { fstatSync, readFileSync } from 'node:fs'
import { Any } from '../../proto/generated/google/protobuf/any.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { parseRuntimeOptions, type RuntimeOptions } from '../runtime-options.ts'

/**
 * The runtime options the daemon passes as a protobuf `Any` (containerd up to 2.2), or the defaults when it
 * passes none. containerd from 2.3 on writes a `BootstrapParams` there, whose contents the flags and the
 * environment repeat: its first field is the id, which tells the two apart.
 *
 * @throws invalidArgument when the bytes are neither
 */
export function readStartOptions(id: string): RuntimeOptions {
  const bytes = readStdin()
  if (bytes.byteLength === 0) return parseRuntimeOptions(undefined)
  let any: Any
  try {
    any = Any.decode(bytes)
  } catch (cause) {
    const found = `${String(bytes.byteLength)} bytes that are not a protobuf Any`
    throw new PlatformError(
      'invalidArgument',
      { action: 'read the start parameters', found },
      { cause },
    )
  }
  return parseRuntimeOptions(any.typeUrl === id ? undefined : any)
}

/** A terminal or a device never ends, and no daemon hands us one with something in it. */
function readStdin(): Uint8Array {
  const stat = fstatSync(0)
  if (stat.isCharacterDevice() || stat.isDirectory()) return new Uint8Array()
  return readFileSync(0)
}
