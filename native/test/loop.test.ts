import assert from 'node:assert/strict'
import { closeSync, readFileSync, readdirSync, writeSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { native } from '../binding.ts'
import { runProgram } from './run-program.ts'
import { checkDescriptors, closeAll, finish, readable, shell } from './support.ts'

describe('the native thread', () => {
  it('lets a program end that waits for nothing any more', async () => {
    assert.equal(await runProgram('idle'), 'done')
  })

  it('sleeps while nothing happens', async () => {
    await finish(shell('true'))
    const thread = readdirSync('/proc/self/task').find(
      (tid) => readFileSync(`/proc/self/task/${tid}/comm`, 'utf8') === 'berth-loop\n',
    )
    assert.ok(thread !== undefined)
    // It may still be on its way to sleep; one that never sleeps runs into the time limit of the test.
    while (!readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').includes(') S '))
      await nextTurn()
  })

  it('takes no signal', () => {
    const masks = readdirSync('/proc/self/task')
      .map((tid) => readFileSync(`/proc/self/task/${tid}/status`, 'utf8'))
      .filter((status) => status.startsWith('Name:\tberth-loop\n'))
      .map((status) => /SigBlk:\t(\w+)/.exec(status)?.[1])
    assert.deepEqual(masks, ['fffffffe7ffbfeff'])
  })
})

describe('watchReadable', () => {
  checkDescriptors()

  it('calls back once when there is something', async () => {
    const [readEnd, writeEnd] = native().pipe()
    let calls = 0
    const seen = new Promise<void>((resolve) => {
      native().watchReadable(readEnd, () => {
        calls++
        resolve()
      })
    })
    writeSync(writeEnd, 'x')
    await seen
    writeSync(writeEnd, 'y')
    await readable(readEnd)
    assert.equal(calls, 1)
    closeAll(readEnd, writeEnd)
  })

  it('calls back when the other end is closed', async () => {
    const [readEnd, writeEnd] = native().pipe()
    closeSync(writeEnd)
    await readable(readEnd)
    closeSync(readEnd)
  })

  it('refuses a second watch of the same descriptor', () => {
    const fd = native().eventfd()
    native().watchReadable(fd, () => undefined)
    assert.throws(
      () => {
        native().watchReadable(fd, () => undefined)
      },
      { code: 'EEXIST' },
    )
    assert.equal(native().unwatchReadable(fd), true)
    closeSync(fd)
  })

  it('forgets a watch, so that its number may be used again', async () => {
    const [oldRead, oldWrite] = native().pipe()
    let isCalled = false
    native().watchReadable(oldRead, () => {
      isCalled = true
    })
    assert.equal(native().unwatchReadable(oldRead), true)
    assert.equal(native().unwatchReadable(oldRead), false)
    closeAll(oldRead, oldWrite)
    const [newRead, newWrite] = native().pipe()
    assert.equal(newRead, oldRead)
    closeSync(newWrite)
    await readable(newRead)
    assert.equal(isCalled, false)
    closeSync(newRead)
  })

  it('forgets one that has fired but was not delivered yet', async () => {
    const [readEnd, writeEnd] = native().pipe()
    let isCalled = false
    writeSync(writeEnd, 'x')
    native().watchReadable(readEnd, () => {
      isCalled = true
    })
    // The thread fires while JavaScript is busy here: an exit is served by the same thread, after it.
    const busyUntil = process.hrtime.bigint() + 20_000_000n
    while (process.hrtime.bigint() < busyUntil);
    assert.equal(native().unwatchReadable(readEnd), true)
    await finish(shell('true'))
    assert.equal(isCalled, false)
    closeAll(readEnd, writeEnd)
  })

  it('refuses a regular file', () => {
    const fd = native().sealedMemfd('test', Buffer.from('x'))
    assert.throws(
      () => {
        native().watchReadable(fd, () => undefined)
      },
      { code: 'EPERM' },
    )
    closeSync(fd)
  })
})
