import { PlatformError } from '../../proto/errors/platform-error.ts'
import { deleteContainer } from '../operations/delete.ts'
import { containerOf, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'delete [options] <container-id>',
  flags: {
    force: {
      kind: 'boolean',
      short: 'f',
      help: 'kill the container if it runs; no error if there is none',
    },
  },
  positionals: [1, 1],
  run: async (parsed, context) => {
    const force = parsed.flags.force ?? false
    try {
      await deleteContainer(containerOf(parsed, context), { force })
    } catch (error) {
      const isGone = error instanceof PlatformError && error.code === 'notFound'
      if (!force || !isGone) throw error
    }
    return 0
  },
})
