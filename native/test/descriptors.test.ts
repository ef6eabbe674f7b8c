import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../binding.ts'
import { checkDescriptors, closeAll, outputOf, scratchDirectory } from './support.ts'

const LOCK_EX = 2
const LOCK_NB = 4
const LOCK_UN = 8

describe('flock', () => {
  checkDescriptors()

  it('throws EAGAIN when somebody else has the lock', () => {
    using scratch = scratchDirectory()
    const path = join(scratch.path, 'lock')
    const [first, second] = [openSync(path, 'w'), openSync(path, 'w')]
    native().flock(first, LOCK_EX)
    assert.throws(
      () => {
        native().flock(second, LOCK_EX | LOCK_NB)
      },
      { code: 'EAGAIN', syscall: 'flock' },
    )
    native().flock(first, LOCK_UN)
    native().flock(second, LOCK_EX | LOCK_NB)
    closeAll(first, second)
  })
})

describe('sealedMemfd', () => {
  checkDescriptors()

  it('holds a copy of the bytes that nobody can change', () => {
    const contents = Buffer.from('sealed')
    const fd = native().sealedMemfd('name', contents)
    contents.fill(0)
    assert.equal(readFileSync(`/proc/self/fd/${String(fd)}`, 'utf8'), 'sealed')
    assert.throws(() => writeSync(fd, 'x'), { code: 'EPERM' })
    closeSync(fd)
  })

  it('takes no bytes at all', () => {
    const fd = native().sealedMemfd('empty', new Uint8Array(0))
    assert.equal(readFileSync(`/proc/self/fd/${String(fd)}`).byteLength, 0)
    closeSync(fd)
  })
})

describe('sealedMemfdFromFile', () => {
  checkDescriptors()

  it('holds an executable copy that nobody can change', async () => {
    const fd = native().sealedMemfdFromFile('shell', '/bin/sh')
    assert.deepEqual(readFileSync(`/proc/self/fd/${String(fd)}`), readFileSync('/bin/sh'))
    assert.throws(() => writeSync(fd, 'x'), { code: 'EPERM' })
    assert.equal(
      await outputOf('readlink /proc/$$/exe', { executable: fd }),
      '/memfd:shell (deleted)\n',
    )
    closeSync(fd)
  })

  it('throws ENOENT with the path', () => {
    assert.throws(() => native().sealedMemfdFromFile('x', '/nonexistent'), {
      code: 'ENOENT',
      message: /\/nonexistent/,
    })
  })
})

describe('the other descriptor calls', () => {
  checkDescriptors()

  it('dupCloexec copies', async () => {
    const fd = native().eventfd()
    const copy = native().dupCloexec(fd)
    assert.notEqual(copy, fd)
    assert.equal(await outputOf(`test -e /proc/self/fd/${String(copy)} || echo closed`), 'closed\n')
    closeAll(fd, copy)
  })

  it('syncfs syncs', () => {
    const fd = openSync('/tmp', 'r')
    native().syncfs(fd)
    closeSync(fd)
    assert.throws(
      () => {
        native().syncfs(4000)
      },
      { code: 'EBADF', syscall: 'syncfs' },
    )
  })

  it('mkfifo makes a named pipe', () => {
    using scratch = scratchDirectory()
    native().mkfifo(join(scratch.path, 'fifo'), 0o600)
    assert.ok(statSync(join(scratch.path, 'fifo')).isFIFO())
    assert.throws(
      () => {
        native().mkfifo(join(scratch.path, 'fifo'), 0o600)
      },
      { code: 'EEXIST', syscall: 'mkfifo' },
    )
  })

  it('refuses arguments of a wrong type', () => {
    assert.throws(() => native().dupCloexec(1.5), TypeError)
    assert.throws(() => native().dupCloexec('1' as unknown as number), TypeError)
    assert.throws(() => native().openat2(-100, 'a\0b', 0, 0, 0), {
      name: 'TypeError',
      message: /NUL/,
    })
  })
})
