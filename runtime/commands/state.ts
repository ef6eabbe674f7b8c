import { state } from '../operations/inspect.ts'
import { containerOf, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'state <container-id>',
  flags: {},
  positionals: [1, 1],
  run: async (parsed, context) => {
    const { ociVersion, id, pid, status, bundle, rootfs, created, annotations } = await state(
      containerOf(parsed, context),
    )
    // The order and the owner are runc's.
    const shown = { ociVersion, id, pid, status, bundle, rootfs, created, annotations, owner: '' }
    context.print(`${JSON.stringify(shown, undefined, 2)}\n`)
    return 0
  },
})
