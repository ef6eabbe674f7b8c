/** Runs one of `programs/` in a process of its own. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Compiled with Bun, the tests' executable contains the programs (see on-bun/tests.ts). */
const isCompiled = import.meta.dirname.startsWith('/$bunfs/')

export async function runProgram(name: 'reap-orphans' | 'idle'): Promise<string> {
  const args = isCompiled
    ? ['--program', name]
    : [join(import.meta.dirname, 'programs', `${name}.js`)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 10_000 })
  return stdout
}
