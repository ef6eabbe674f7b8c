/** The static programs of `conformance/programs`, compiled on first use and kept while unchanged. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'

import { runOk } from './process.ts'
import { repositoryDir } from './programs.ts'

export type HelperName = 'report' | 'console' | 'nothing' | 'stopwatch'

const FLAGS = [
  '-std=c++20',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-O2',
  '-static',
  '-s',
  '-fno-exceptions',
  '-fno-rtti',
]

const building = new Map<HelperName, Promise<string>>()

/** The path of the compiled helper program. */
export function helper(name: HelperName): Promise<string> {
  const known = building.get(name) ?? build(name)
  building.set(name, known)
  return known
}

async function build(name: HelperName): Promise<string> {
  const source = join(repositoryDir, 'conformance', 'programs', `${name}.cpp`)
  const key = createHash('sha256')
    .update(readFileSync(source))
    .update(FLAGS.join(' '))
    .digest('hex')
    .slice(0, 16)
  const dir = join(repositoryDir, 'build', 'conformance')
  const target = join(dir, `${name}-${key}`)
  if (existsSync(target)) return target
  mkdirSync(dir, { recursive: true })
  // Built aside and renamed, so that a parallel run never sees half a program.
  const partial = `${target}.${String(process.pid)}`
  await runOk('g++', [...FLAGS, '-o', partial, source], { timeoutMs: 120_000 })
  renameSync(partial, target)
  return target
}
