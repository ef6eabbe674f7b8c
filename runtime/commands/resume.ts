import { resume } from '../operations/pause.ts'
import { containerOf, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'resume <container-id>',
  flags: {},
  positionals: [1, 1],
  run: async (parsed, context) => {
    await resume(containerOf(parsed, context))
    return 0
  },
})
