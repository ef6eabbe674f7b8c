/** Chooses what makes a container: our runtime in this process, or the program that the options name. */
import { runtimeRootOf, type ShimIdentity } from './bootstrap/identity.ts'
import { findProgram } from './drivers/find-program.ts'
import { PlatformError } from '../proto/errors/platform-error.ts'
import type { Log } from './log.ts'
import type { RuntimeDriver } from './runtime-driver.ts'
import type { RuntimeOptions } from './runtime-options.ts'

export interface OpenDriverOptions {
  readonly identity: ShimIdentity
  readonly bundle: string
  readonly options: RuntimeOptions
  /** A short directory that is only ours. */
  readonly socketDirectory: string
  readonly log: Log
}

/** Either is loaded when the first container needs it: a shim pays for one of them only. */
export async function openDriver({
  identity,
  bundle,
  options,
  socketDirectory,
  log,
}: OpenDriverOptions): Promise<RuntimeDriver> {
  if (options.binaryName === '') {
    if (options.systemdCgroup) {
      throw new PlatformError('unimplemented', {
        action: 'open the runtime',
        found: 'SystemdCgroup in the runtime options',
        wanted: 'cgroups without systemd, or a BinaryName whose program talks to systemd',
      })
    }
    const { InProcessDriver } = await import('./drivers/in-process.ts')
    return new InProcessDriver({
      root: runtimeRootOf(identity, 'berth', options.root),
      noPivotRoot: options.noPivotRoot,
      noNewKeyring: options.noNewKeyring,
      log,
    })
  }
  const { OciBinaryDriver } = await import('./drivers/oci-binary.ts')
  return new OciBinaryDriver({
    program: findProgram(options.binaryName),
    root: runtimeRootOf(identity, 'oci', options.root),
    bundle,
    socketDirectory,
    systemdCgroup: options.systemdCgroup,
    noPivotRoot: options.noPivotRoot,
    noNewKeyring: options.noNewKeyring,
  })
}
