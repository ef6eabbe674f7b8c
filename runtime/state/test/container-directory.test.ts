import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ContainerDirectory } from '../container-directory.ts'
import { identifyProcess, isAlive, openProcess } from '../init-identity.ts'
import type { ContainerRecord } from '../record.ts'
import { ociStateOf, statusOf } from '../status.ts'

const RECORD: ContainerRecord = {
  id: 'c1',
  ociVersion: '1.3.0',
  bundle: '/b',
  rootfs: '/b/rootfs',
  created: '2026-11-20T23:00:00.000Z',
  annotations: {},
  cgroupPaths: {},
}

describe('ContainerDirectory', () => {
  let base = ''
  let root = ''
  let child: ChildProcess | undefined

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'berth-state-'))
    root = join(base, 'run/runtime')
  })

  afterEach(async () => {
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    child = undefined
    rmSync(base, { recursive: true })
  })

  function startSleeper(): number {
    child = spawn('sleep', ['60'], { stdio: 'ignore' })
    assert.ok(child.pid !== undefined)
    return child.pid
  }

  it('takes an id once', () => {
    const directory = ContainerDirectory.create({ root, id: 'c1' })
    assert.equal(statSync(directory.path).mode & 0o777, 0o700)
    assert.throws(() => ContainerDirectory.create({ root, id: 'c1' }), { code: 'alreadyExists' })
    directory.remove()
    ContainerDirectory.create({ root, id: 'c1' })
  })

  it('says when there is no such container', () => {
    assert.throws(() => ContainerDirectory.open({ root, id: 'c1' }), /container does not exist/)
    const directory = ContainerDirectory.create({ root, id: 'c1' })
    assert.throws(() => directory.readRecord(), { code: 'notFound' })
  })

  it('replaces the record and leaves no temporary file', () => {
    const directory = ContainerDirectory.create({ root, id: 'c1' })
    directory.writeRecord(RECORD)
    directory.writeRecord({ ...RECORD, annotations: { a: 'b' } })
    assert.deepEqual(directory.readRecord().annotations, { a: 'b' })
    assert.deepEqual(readdirSync(directory.path), ['state.json'])
  })

  it('lists what has a record', () => {
    assert.deepEqual(ContainerDirectory.list(root), [])
    for (const id of ['b', 'a', 'unfinished']) ContainerDirectory.create({ root, id })
    for (const id of ['b', 'a']) ContainerDirectory.open({ root, id }).writeRecord(RECORD)
    assert.deepEqual(ContainerDirectory.list(root), ['a', 'b'])
  })

  it('lets one at a time change a container, in the order of asking or not', async () => {
    const directory = ContainerDirectory.create({ root, id: 'c1' })
    const first = await directory.lock()
    let isSecondIn = false
    const second = directory.lock().then((lock) => {
      isSecondIn = true
      return lock
    })
    await new Promise(setImmediate)
    assert.equal(isSecondIn, false)
    first[Symbol.dispose]()
    const lock = await second
    lock[Symbol.dispose]()
  })

  it('tells who waited that the container was deleted', async () => {
    const directory = ContainerDirectory.create({ root, id: 'c1' })
    const first = await directory.lock()
    const second = directory.lock()
    directory.remove()
    first[Symbol.dispose]()
    await assert.rejects(second, { code: 'notFound' })
  })

  it('derives the status from the process and the start socket', async () => {
    const directory = ContainerDirectory.create({ root, id: 'c1' })
    assert.equal(statusOf(directory, RECORD), 'creating')
    const record = { ...RECORD, init: identifyProcess(startSleeper()) }
    assert.equal(statusOf(directory, record), 'running')
    writeFileSync(join(directory.path, 'start.sock'), '')
    assert.equal(statusOf(directory, record), 'created')
    assert.equal(ociStateOf(directory, record).pid, record.init.pid)
    child?.kill('SIGKILL')
    await once(child ?? spawn('true'), 'exit')
    assert.equal(statusOf(directory, record), 'stopped')
    assert.equal(ociStateOf(directory, record).pid, 0)
    assert.ok(existsSync(directory.path))
  })

  it('does not take a later process with the same pid for the container (S-25)', () => {
    const identity = identifyProcess(startSleeper())
    assert.equal(isAlive(identity), true)
    const earlier = { ...identity, startTimeTicks: identity.startTimeTicks - 1n }
    assert.equal(isAlive(earlier), false)
    assert.equal(openProcess(earlier), undefined)
    assert.equal(isAlive({ ...identity, bootId: 'another' }), false)
  })
})
