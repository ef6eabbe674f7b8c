import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'

import { until } from '../harness/until.ts'
import { BUSYBOX, PATIENT, describeManager, isOurs } from './subject.ts'

describeManager('F-01: kill -9 of the manager while a container runs', (subject) => {
  it('the container runs on; a restart lists it, and its exit code arrives', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    const pid = await subject().pid(id)
    assert.equal(await manager.stop('SIGKILL'), 137)
    assert.ok(existsSync(`/proc/${String(pid)}/exe`))
    await manager.start()
    assert.equal(await subject().status(id), 'RUNNING')
    assert.equal(await subject().pid(id), pid)
    const { stdout } = await manager.ctrOk([
      'task',
      'exec',
      '--exec-id',
      'e1',
      id,
      'echo',
      'still here',
    ])
    assert.equal(stdout, 'still here\n')
    await manager.ctrOk(['task', 'kill', '--signal', 'SIGTERM', id])
    await subject().untilStatus(id, 'STOPPED')
    assert.match((await manager.ctrOk(['task', 'rm', id])).stderr, /non-zero exit code 9\b/)
  })

  it('the code of a container that ended meanwhile is the true one', async () => {
    const { manager, workspace } = subject()
    const gate = workspace.makeDir('gate')
    const id = await subject().runDetached(
      ['sh', '-c', 'while [ ! -e /gate/go ]; do sleep 0.05; done; exit 33'],
      ['--mount', `type=bind,src=${gate},dst=/gate,options=rbind:rw`],
    )
    const pid = await subject().pid(id)
    await manager.stop('SIGKILL')
    writeFileSync(`${gate}/go`, '')
    await until('the container to end', () => !existsSync(`/proc/${String(pid)}/exe`))
    await manager.start()
    await subject().untilStatus(id, 'STOPPED')
    assert.match((await manager.ctrOk(['task', 'rm', id])).stderr, /non-zero exit code 33\b/)
  })

  it('images, snapshots and containers are still there', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    const seen = async (): Promise<readonly string[]> => [
      (await manager.ctrOk(['images', 'ls'])).stdout,
      (await manager.ctrOk(['snapshots', 'ls'])).stdout,
      (await manager.ctrOk(['content', 'ls', '-q'])).stdout,
      (await manager.ctrOk(['container', 'ls'])).stdout,
    ]
    const before = await seen()
    await manager.stop('SIGKILL')
    await manager.start()
    assert.deepEqual(await seen(), before)
    assert.equal(await subject().status(id), 'RUNNING')
  })
})

describeManager('a restart of the manager', (subject) => {
  it('SIGTERM ends it with 0, the container runs on and is found again', async () => {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    const pid = await subject().pid(id)
    assert.equal(await manager.stop('SIGTERM'), 0)
    assert.ok(existsSync(`/proc/${String(pid)}/exe`))
    await manager.start()
    assert.equal(await subject().status(id), 'RUNNING')
    assert.equal(
      (await manager.ctrOk(['run', '--rm', BUSYBOX, subject().newId(), 'echo', 'new'])).stdout,
      'new\n',
    )
  })
})

describeManager('F-42: a second manager on the same root', (subject) => {
  it('refuses and leaves the first alone', async function () {
    const { manager } = subject()
    const id = await subject().runDetached(PATIENT)
    const second = manager.startAnother()
    // containerd 1.6 waits for the lock of its database for ever instead of refusing.
    await (isOurs
      ? second.wait(20_000).then(({ exitCode, stderr }) => {
          assert.notEqual(exitCode, 0)
          assert.match(stderr, new RegExp(manager.dirs.root))
        })
      : second.saw(/waiting for response from boltdb open|bolt/, 'stderr', 20_000))
    await second[Symbol.asyncDispose]()
    assert.equal(await subject().status(id), 'RUNNING')
    assert.equal(
      (await manager.ctrOk(['run', '--rm', BUSYBOX, subject().newId(), 'echo', 'first'])).stdout,
      'first\n',
    )
  })
})
