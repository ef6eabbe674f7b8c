import assert from 'node:assert/strict'
import { closeSync, readFileSync, readSync, writeSync } from 'node:fs'
import { release } from 'node:os'
import { native } from '../binding.ts'
import {
  checkDescriptors,
  closeAll,
  exitOf,
  finish,
  readable,
  shell,
  skipUnless,
} from './support.ts'

const SIGKILL = 9
const SIGTERM = 15

const [major = 0, minor = 0] = release().split('.').map(Number)
const keepsExits = major > 6 || (major === 6 && minor >= 15)

describe('watchExit', () => {
  checkDescriptors()

  it('tells the exit code and when', async () => {
    const beforeNs = BigInt(Date.now()) * 1_000_000n
    const exit = await finish(shell('exit 3'))
    assert.equal(exit.kind, 'exited')
    assert.deepEqual({ ...exit, exitedAtNs: 0n }, { kind: 'exited', exitCode: 3, exitedAtNs: 0n })
    assert.ok(exit.exitedAtNs >= beforeNs && exit.exitedAtNs <= BigInt(Date.now() + 1) * 1_000_000n)
  })

  it('tells the signal', async () => {
    const child = shell('exec sleep 100')
    native().pidfdSendSignal(child.pidfd, SIGTERM)
    const exit = await finish(child)
    assert.deepEqual(
      { ...exit, exitedAtNs: 0n },
      { kind: 'signaled', signal: SIGTERM, exitedAtNs: 0n },
    )
  })

  it('tells it of a process that has ended before', async () => {
    const child = shell('exit 4')
    await readable(child.pidfd)
    assert.equal((await finish(child)).kind, 'exited')
  })

  it('reaps', async () => {
    const child = shell('exit 0')
    await exitOf(child.pidfd)
    assert.throws(() => readFileSync(`/proc/${String(child.pid)}/stat`), { code: 'ENOENT' })
    assert.throws(
      () => {
        native().pidfdSendSignal(child.pidfd, 0)
      },
      { code: 'ESRCH', syscall: 'pidfd_send_signal' },
    )
    closeSync(child.pidfd)
  })

  it('loses none of 200 that end at once', async () => {
    const [readEnd, writeEnd] = native().pipe()
    const children = Array.from({ length: 200 }, (_, i) =>
      shell(`read line; exit ${String(i)}`, { fds: [readEnd, -1, -1] }),
    )
    closeSync(readEnd)
    const exits = children.map(finish)
    closeSync(writeEnd) // all of them read an end of file
    assert.deepEqual(
      (await Promise.all(exits)).map((exit) => exit.kind === 'exited' && exit.exitCode),
      children.map((_, i) => i),
    )
  })

  it('tells the exit of a process that is not our child', async function () {
    skipUnless(keepsExits, this, 'Linux before 6.15 does not keep it')
    const [readEnd, writeEnd] = native().pipe()
    const [goRead, goWrite] = native().pipe()
    const parent = shell('sh -c "read go; exit 7" <&3 & echo $!; wait', {
      fds: [-1, writeEnd, -1, goRead],
    })
    closeAll(writeEnd, goRead)
    const pidfd = native().pidfdOpen(readPid(readEnd))
    assert.throws(() => native().pidfdExit(pidfd), { code: 'EAGAIN' })
    const exit = exitOf(pidfd)
    writeSync(goWrite, '\n')
    closeSync(goWrite)
    const found = await exit
    assert.deepEqual({ ...found, exitedAtNs: 0n }, { kind: 'exited', exitCode: 7, exitedAtNs: 0n })
    const again = native().pidfdExit(pidfd)
    assert.deepEqual({ ...again, exitedAtNs: 0n }, { kind: 'exited', exitCode: 7, exitedAtNs: 0n })
    await finish(parent)
    closeAll(pidfd, readEnd)
  })

  it('refuses what is no pidfd', () => {
    assert.throws(
      () => {
        native().watchExit(4000, () => undefined)
      },
      { code: 'EBADF', syscall: 'epoll_ctl' },
    )
  })
})

describe('pidfdExit', () => {
  checkDescriptors()

  it('looks at our own zombie without reaping it', async () => {
    const child = shell('exit 5')
    await readable(child.pidfd)
    const seen = native().pidfdExit(child.pidfd)
    assert.deepEqual({ ...seen, exitedAtNs: 0n }, { kind: 'exited', exitCode: 5, exitedAtNs: 0n })
    const exit = await finish(child)
    assert.deepEqual({ ...exit, exitedAtNs: 0n }, { kind: 'exited', exitCode: 5, exitedAtNs: 0n })
  })

  it('throws EAGAIN while it runs', async () => {
    const child = shell('exec sleep 100')
    assert.throws(() => native().pidfdExit(child.pidfd), { code: 'EAGAIN' })
    native().pidfdSendSignal(child.pidfd, SIGKILL)
    await finish(child)
  })
})

describe('pidfdOpen', () => {
  checkDescriptors()

  it('throws ESRCH for a process that is gone', async () => {
    const child = shell('exit 0')
    await finish(child)
    assert.throws(() => native().pidfdOpen(child.pid), { code: 'ESRCH', syscall: 'pidfd_open' })
  })
})

function readPid(fd: number): number {
  const line = Buffer.alloc(32)
  return Number(line.toString('utf8', 0, readSync(fd, line)))
}
