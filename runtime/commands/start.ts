import { start } from '../launch/start.ts'
import { containerOf, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'start <container-id>',
  flags: {},
  positionals: [1, 1],
  run: async (parsed, context) => {
    await start(containerOf(parsed, context))
    return 0
  },
})
