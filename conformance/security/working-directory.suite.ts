/**
 * Every program of ours started in a directory full of files that a JavaScript engine likes to read. Each of
 * them would leave a proof if it were. The runtime has its own test beside its rootfs attacks.
 */
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { Manager, managerUnderTest } from '../harness/manager.ts'
import { need } from '../harness/needs.ts'
import { run } from '../harness/process.ts'
import { programs, repositoryDir } from '../harness/programs.ts'
import { useWorkspace } from '../harness/workspace.ts'
import { plantTraps } from './traps.ts'

describe('a hostile working directory: every program of ours', function () {
  this.timeout(60_000)
  const workspace = useWorkspace()
  before(function () {
    need(this, managerUnderTest() === 'berthd', 'the programs of the peers are not JavaScript')
  })

  for (const [name, file, args] of [
    ['berth-runtime', programs.runtime, ['--version']],
    ['berth-runtime list', programs.runtime, ['list']],
    ['berthctl', programs.berthctl, ['--help']],
    ['the shim', programs.shim, ['-v']],
    ['berthd', programs.berthd, ['--help']],
  ] as const)
    it(`${name} reads nothing of it`, async () => {
      const dir = workspace().makeDir('hostile')
      const proof = workspace().path('proof')
      plantTraps(dir, proof)
      const result = await run(file, args, { cwd: dir, env: workspace().env })
      assert.equal(existsSync(proof), false)
      assert.doesNotMatch(result.stderr, /tsconfig|package\.json|bunfig|preload/)
    })

  it('the traps do work on an engine that reads them', async () => {
    const dir = workspace().makeDir('hostile')
    const proof = workspace().path('proof')
    plantTraps(dir, proof)
    const script = join(dir, 'innocent.mjs')
    writeFileSync(script, '')
    await run(join(repositoryDir, 'node_modules', '.bin', 'bun'), ['run', script], { cwd: dir })
    assert.equal(existsSync(proof), true)
  })

  it('berthd with its data below it serves', async () => {
    const manager = workspace().use(new Manager(workspace(), 'berthd'))
    plantTraps(manager.dirs.root, workspace().path('proof'))
    await manager.start()
    assert.equal(existsSync(workspace().path('proof')), false)
    await manager.stop()
  })
})
