import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../proto/errors/platform-error.ts'
import { list } from '../operations/inspect.ts'
import { usageError } from './arguments.ts'
import { defineCommand } from './command.ts'
import { formatTable } from './table.ts'

export const command = defineCommand({
  usage: 'list [options]',
  flags: {
    format: { kind: 'string', short: 'f', help: 'table or json (default: table)' },
    quiet: { kind: 'boolean', short: 'q', help: 'ids only' },
  },
  positionals: [0, 0],
  run: ({ flags }, { root, print }) => {
    const format = flags.format ?? 'table'
    if (format !== 'table' && format !== 'json') {
      throw usageError(`list: unknown format ${JSON.stringify(format)}: want table or json`)
    }
    const containers = list(root).map((state) => ({
      ...state,
      owner: ownerOf(join(root, state.id)),
    }))
    if (flags.quiet === true) {
      print(containers.map(({ id }) => `${id}\n`).join(''))
    } else if (format === 'json') {
      print(`${JSON.stringify(containers)}\n`)
    } else {
      print(
        formatTable([
          ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'],
          ...containers.map(({ id, pid, status, bundle, created, owner }) => [
            id,
            String(pid),
            status,
            bundle,
            created,
            owner,
          ]),
        ]),
      )
    }
    return Promise.resolve(0)
  },
})

/** The owner's name as the host knows it, `#uid` for one it does not know, as runc shows it. */
function ownerOf(path: string): string {
  try {
    const { uid } = statSync(path)
    return nameOf(uid) ?? `#${uid}`
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  }
}

/** @see passwd(5) */
function nameOf(uid: number): string | undefined {
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n')
  return entries.map((line) => line.split(':')).find((fields) => fields[2] === String(uid))?.[0]
}
