/** The bundle of the runtime measurements. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { helper } from '../conformance/harness/helpers.ts'
import { runOk } from '../conformance/harness/process.ts'
import { programs } from '../conformance/harness/programs.ts'
import type { Workspace } from '../conformance/harness/workspace.ts'

/** A trivial static program under runc's own default configuration, so that both sides get the same. */
export async function makeBundle(workspace: Workspace): Promise<string> {
  const bundle = workspace.makeDir('bundle')
  for (const dir of ['bin', 'dev', 'proc', 'sys'])
    mkdirSync(join(bundle, 'rootfs', dir), { recursive: true })
  copyFileSync(await helper('nothing'), join(bundle, 'rootfs', 'bin', 'nothing'))
  await runOk(programs.runc, ['spec', '--bundle', bundle])
  const file = join(bundle, 'config.json')
  const spec = JSON.parse(readFileSync(file, 'utf8')) as {
    process: { args: string[]; terminal: boolean }
  }
  spec.process.args = ['/bin/nothing']
  spec.process.terminal = false
  writeFileSync(file, JSON.stringify(spec))
  return bundle
}
