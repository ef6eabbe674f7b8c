/** What the daemon writes to the standard input of `start`. */
import { fstatSync, readFileSync } from 'node:fs'
import type { Any as AnyMessage } from '../../proto/generated/google/protobuf/any.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { RuntimeOptions } from '../runtime-options.ts'

/**
 * The runtime options the daemon passes as a protobuf `Any` (containerd up to 2.2), or the defaults when it
 * passes none. containerd from 2.3 on writes a `BootstrapParams` there, whose contents the flags and the
 * environment repeat: its first field is the id, which tells the two apart.
 *
 * @throws invalidArgument when the bytes are neither
 */
export async function readStartOptions(id: string): Promise<Pick<RuntimeOptions, 'shimCgroup'>> {
  const bytes = readStdin()
  // Most often there are none, and nothing that could decode them is loaded.
  if (bytes.byteLength === 0) return { shimCgroup: '' }
  const { Any } = await import('../../proto/generated/google/protobuf/any.ts')
  const { parseRuntimeOptions } = await import('../runtime-options.ts')
  let any: AnyMessage
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
