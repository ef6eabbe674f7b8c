import { PlatformError } from '../../proto/errors/platform-error.ts'
import { type CreatedContainer, create } from '../launch/create.ts'
import { startCreated } from '../launch/start.ts'
import { removeContainer } from '../operations/delete.ts'
import { openBundle } from '../spec/bundle.ts'
import { bundleOf, containerOf, defineCommand } from './command.ts'
import { letGo } from './create.ts'
import { stayWith } from './foreground.ts'
import {
  BUNDLE_FLAGS,
  connectConsole,
  OWN_STDIO,
  pidFilePath,
  preservedFds,
} from './launch-flags.ts'

export const command = defineCommand({
  usage: 'run [options] <container-id>',
  flags: {
    ...BUNDLE_FLAGS,
    detach: { kind: 'boolean', short: 'd', help: 'return when the program runs' },
    keep: { kind: 'boolean', help: 'do not delete the container when it has ended' },
    'no-subreaper': { kind: 'boolean', help: 'accepted for runc: nothing is re-parented to us' },
  },
  positionals: [1, 1],
  run: async (parsed, context) => {
    const { flags } = parsed
    const container = containerOf(parsed, context)
    const bundle = openBundle(bundleOf(flags.bundle))
    const detach = flags.detach ?? false
    const { terminal } = bundle.spec.process
    using socket = connectConsole({ terminal, detach, consoleSocket: flags['console-socket'] })
    const launched = await create({
      ...container,
      ...pidFilePath(flags['pid-file']),
      bundle,
      stdio: terminal ? { kind: 'terminal' } : OWN_STDIO,
      preserveFds: preservedFds(flags['preserve-fds']),
      noPivot: flags['no-pivot'] ?? false,
      noNewKeyring: flags['no-new-keyring'] ?? false,
    })
    const begin = (): Promise<void> => startCreated(launched)
    let isRunning = false
    try {
      if (!detach) return await stayWith(launched, begin)
      letGo(launched, socket)
      await begin()
      isRunning = true
      return 0
    } finally {
      const isKept = isRunning || flags.keep === true
      if (!isKept) await removeCreated(launched)
    }
  },
})

async function removeCreated({ directory, record }: CreatedContainer): Promise<void> {
  try {
    using _lock = await directory.lock()
    await removeContainer(directory, record)
  } catch (error) {
    // Somebody else has deleted it meanwhile: the exit code is ours to report all the same.
    if (!(error instanceof PlatformError) || error.code !== 'notFound') throw error
  }
}
