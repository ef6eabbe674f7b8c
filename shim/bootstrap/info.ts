/** `-info` and `-v`: what this shim is. */
import { RuntimeInfo } from '../../proto/generated/containerd/types/introspection.ts'

export const VERSION = '0.1.0'
const NAME = 'io.containerd.berth.v2'

/** An encoded RuntimeInfo. */
export function runtimeInfo(): Uint8Array {
  return RuntimeInfo.encode(
    RuntimeInfo.fromPartial({
      name: NAME,
      version: { version: VERSION, revision: '' },
    }),
  ).finish()
}

export function versionText(program: string): string {
  return `${program}:\n  Version:  ${VERSION}\n  Runtime:  ${NAME}\n`
}
