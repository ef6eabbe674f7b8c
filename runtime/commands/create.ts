import { closeSync } from 'node:fs'
import type { LaunchedProcess } from '../api.ts'
import { create } from '../launch/create.ts'
import { deleteContainer } from '../operations/delete.ts'
import { openBundle } from '../spec/bundle.ts'
import { bundleOf, containerOf, defineCommand } from './command.ts'
import type { ConsoleSocket } from './console-socket.ts'
import {
  BUNDLE_FLAGS,
  connectConsole,
  OWN_STDIO,
  pidFilePath,
  preservedFds,
} from './launch-flags.ts'

export const command = defineCommand({
  usage: 'create [options] <container-id>',
  flags: BUNDLE_FLAGS,
  positionals: [1, 1],
  run: async (parsed, context) => {
    const { flags } = parsed
    const container = containerOf(parsed, context)
    const bundle = openBundle(bundleOf(flags.bundle))
    const { terminal } = bundle.spec.process
    using socket = connectConsole({
      terminal,
      detach: true,
      consoleSocket: flags['console-socket'],
    })
    const launched = await create({
      ...container,
      ...pidFilePath(flags['pid-file']),
      bundle,
      stdio: terminal ? { kind: 'terminal' } : OWN_STDIO,
      preserveFds: preservedFds(flags['preserve-fds']),
      noPivot: flags['no-pivot'] ?? false,
      noNewKeyring: flags['no-new-keyring'] ?? false,
    })
    try {
      letGo(launched, socket)
    } catch (error) {
      await deleteContainer(container, { force: true })
      throw error
    }
    return 0
  },
})

/** From here on the process is nobody's child but its caller's. */
export function letGo(launched: LaunchedProcess, socket: ConsoleSocket | undefined): void {
  closeSync(launched.pidfd)
  if (launched.consoleFd !== undefined) socket?.send(launched.consoleFd)
}
