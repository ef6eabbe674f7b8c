import { pause } from '../operations/pause.ts'
import { containerOf, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'pause <container-id>',
  flags: {},
  positionals: [1, 1],
  run: async (parsed, context) => {
    await pause(containerOf(parsed, context))
    return 0
  },
})
