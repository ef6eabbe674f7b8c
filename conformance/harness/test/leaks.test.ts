import assert from 'node:assert/strict'
import { mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { findLeaks } from '../leaks.ts'
import { RunningProgram } from '../process.ts'

const token = (): string => `leak${Math.random().toString(36).slice(2)}`

describe('findLeaks', () => {
  it('finds nothing of a token that nobody uses', () => {
    assert.deepEqual(findLeaks(token()), [])
  })

  it('finds a process by its environment, until it has ended', async () => {
    const mark = token()
    const program = new RunningProgram('sleep', ['1000'], { env: { ...process.env, MARK: mark } })
    const found = findLeaks(mark)
    await program[Symbol.asyncDispose]()
    assert.equal(found.length, 1)
    assert.match(
      found[0] ?? '',
      new RegExp(`process ${String(program.pid)} \\(by its environment\\): sleep 1000`),
    )
    assert.deepEqual(findLeaks(mark), [])
  })

  it('finds a process by its working directory', async () => {
    const mark = token()
    const dir = join(tmpdir(), mark)
    mkdirSync(dir)
    const program = new RunningProgram('sleep', ['1000'], { cwd: dir })
    const found = findLeaks(mark)
    await program[Symbol.asyncDispose]()
    rmSync(dir, { recursive: true })
    assert.match(found.join(), /by its (working directory|environment)/)
  })

  it('finds a unix socket by its path', async () => {
    const mark = token()
    const server = createServer()
    server.listen(join(tmpdir(), `${mark}.sock`))
    await once(server, 'listening')
    const found = findLeaks(mark)
    server.close()
    await once(server, 'close')
    assert.deepEqual(found, [`unix socket ${join(tmpdir(), `${mark}.sock`)}`])
  })
})
