import type { ContainerReference } from '../api.ts'
import { exec } from '../launch/exec.ts'
import { readDocument } from '../spec/bundle.ts'
import { parseProcessDocument, parseSpec } from '../spec/parse.ts'
import type { ProcessSpec } from '../spec/types.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import { containerOf, defineCommand } from './command.ts'
import { letGo } from './create.ts'
import { overrideProcess } from './exec-process.ts'
import { stayWith } from './foreground.ts'
import {
  connectConsole,
  OWN_STDIO,
  pidFilePath,
  preservedFds,
  PROCESS_FLAGS,
} from './launch-flags.ts'

export const command = defineCommand({
  usage: 'exec [options] <container-id> <command> [args…] | exec --process <file> <container-id>',
  flags: {
    ...PROCESS_FLAGS,
    process: { kind: 'string', short: 'p', help: 'JSON file with the whole process object' },
    detach: { kind: 'boolean', short: 'd', help: 'return when the program runs' },
    tty: { kind: 'boolean', short: 't', help: 'give it a terminal' },
    user: { kind: 'string', short: 'u', help: 'uid[:gid]' },
    'additional-gids': { kind: 'integers', short: 'g', help: 'one more group; repeatable' },
    cwd: { kind: 'string', help: 'working directory in the container' },
    env: { kind: 'strings', short: 'e', help: 'NAME=value; repeatable' },
    cap: { kind: 'strings', short: 'c', help: 'one more capability; repeatable' },
    'no-new-privs': { kind: 'boolean', help: 'set no_new_privs' },
    apparmor: { kind: 'string', help: 'AppArmor profile' },
    'process-label': { kind: 'string', help: 'SELinux label' },
  },
  positionals: [1, undefined],
  stopAtPositional: true,
  run: async (parsed, context) => {
    const { flags } = parsed
    const container = containerOf(parsed, context)
    const process =
      flags.process === undefined
        ? overrideProcess(readContainerProcess(container), parsed.positionals.slice(1), flags)
        : parseProcessDocument(readDocument(flags.process, 'process.json')).value
    const detach = flags.detach ?? false
    using socket = connectConsole({
      terminal: process.terminal,
      detach,
      consoleSocket: flags['console-socket'],
    })
    const launched = await exec({
      ...container,
      ...pidFilePath(flags['pid-file']),
      process,
      stdio: process.terminal ? { kind: 'terminal' } : OWN_STDIO,
      preserveFds: preservedFds(flags['preserve-fds']),
    })
    if (!detach) return await stayWith(launched, () => Promise.resolve())
    letGo(launched, socket)
    return 0
  },
})

/** The process of the container's own document, whose limits and identity a new one starts from. */
function readContainerProcess(container: ContainerReference): ProcessSpec {
  return parseSpec(ContainerDirectory.open(container).readConfig()).value.process
}
