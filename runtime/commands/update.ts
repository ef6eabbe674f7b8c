import { readFileSync } from 'node:fs'
import { update } from '../operations/update.ts'
import { readDocument } from '../spec/bundle.ts'
import { parseResourcesDocument } from '../spec/parse.ts'
import { usageError } from './arguments.ts'
import { containerOf, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'update --resources <file> <container-id>',
  flags: {
    resources: {
      kind: 'string',
      short: 'r',
      help: 'JSON file with the limits to change, as linux.resources of config.json; - is stdin',
    },
  },
  positionals: [1, 1],
  run: async (parsed, context) => {
    const { resources } = parsed.flags
    if (resources === undefined) throw usageError('update: want --resources with a file or -')
    const text = resources === '-' ? readFileSync(0, 'utf8') : readDocument(resources, 'resources')
    await update(containerOf(parsed, context), parseResourcesDocument(text).value)
    return 0
  },
})
