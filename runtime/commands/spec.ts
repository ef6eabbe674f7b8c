import { statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { defaultSpec } from '../spec/default-spec.ts'
import { bundleOf, defineCommand } from './command.ts'

/** statfs(2) */
const CGROUP2_SUPER_MAGIC = 0x6367_7270

export const command = defineCommand({
  usage: 'spec [options]',
  flags: {
    bundle: { kind: 'string', short: 'b', help: 'directory to write config.json into' },
    rootless: { kind: 'boolean', help: 'for a container that needs no root' },
  },
  positionals: [0, 0],
  run: ({ flags }) => {
    const rootless = flags.rootless === true ? ownIds() : undefined
    const document = defaultSpec({ isCgroupV2: isCgroupV2(), rootless })
    const path = join(bundleOf(flags.bundle), 'config.json')
    try {
      writeFileSync(path, `${JSON.stringify(document, undefined, '\t')}\n`, { flag: 'wx' })
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw wrapSystemError(error, { action: 'write spec', path })
      throw new PlatformError(
        'alreadyExists',
        { action: 'write spec', path, found: 'a file config.json', hint: 'remove it first' },
        { cause: error },
      )
    }
    return Promise.resolve(0)
  },
})

function ownIds(): { readonly uid: number; readonly gid: number } {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
}

function isCgroupV2(): boolean {
  try {
    return statfsSync('/sys/fs/cgroup').type === CGROUP2_SUPER_MAGIC
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw wrapSystemError(error, { action: 'look at cgroups', path: '/sys/fs/cgroup' })
  }
}
