import { kill } from '../operations/kill.ts'
import { containerOf, defineCommand } from './command.ts'
import { parseSignal } from './signals.ts'

export const command = defineCommand({
  usage: 'kill [options] <container-id> [signal]',
  flags: {
    all: { kind: 'boolean', short: 'a', help: 'send the signal to all processes of the container' },
  },
  positionals: [1, 2],
  run: async (parsed, context) => {
    const signal = parseSignal(parsed.positionals[1] ?? 'TERM')
    await kill(containerOf(parsed, context), signal, { all: parsed.flags.all ?? false })
    return 0
  },
})
