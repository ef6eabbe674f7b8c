import assert from 'node:assert/strict'
import { closeSync, fstatSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../binding.ts'
import { checkDescriptors, closeAll, readable, scratchDirectory } from './support.ts'

const flagsOf = (fd: number): number =>
  Number.parseInt(
    /^flags:\t(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${String(fd)}`, 'utf8'))?.[1] ?? '',
    8,
  )
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000

describe('socketpair', () => {
  checkDescriptors()

  it('keeps packets apart', () => {
    const [a, b] = native().socketpair()
    native().sendMessage(a, Buffer.from('one'), [])
    native().sendMessage(a, Buffer.from('two'), [])
    assert.equal(native().receiveMessage(b, 100).data.toString(), 'one')
    assert.equal(native().receiveMessage(b, 100).data.toString(), 'two')
    closeAll(a, b)
  })

  it('passes descriptors, close-on-exec', () => {
    const [a, b] = native().socketpair()
    const file = native().sealedMemfd('passed', Buffer.from('x'))
    native().sendMessage(a, Buffer.from('m'), [file, file])
    const { fds } = native().receiveMessage(b, 100)
    assert.equal(fds.length, 2)
    for (const fd of fds) {
      assert.equal(fstatSync(fd).ino, fstatSync(file).ino)
      assert.notEqual(flagsOf(fd) & O_CLOEXEC, 0)
    }
    closeAll(...fds, file, a, b)
  })

  it('throws EAGAIN when nothing is there', () => {
    const [a, b] = native().socketpair()
    assert.throws(() => native().receiveMessage(a, 10), { code: 'EAGAIN', syscall: 'recvmsg' })
    closeAll(a, b)
  })

  it('gives an empty message when the peer has closed', () => {
    const [a, b] = native().socketpair()
    closeSync(a)
    assert.deepEqual(native().receiveMessage(b, 10), { data: Buffer.alloc(0), fds: [] })
    closeSync(b)
  })

  it('refuses a packet longer than asked for, and closes what came with it', () => {
    const [a, b] = native().socketpair()
    native().sendMessage(a, Buffer.alloc(20), [a])
    assert.throws(() => native().receiveMessage(b, 10), { code: 'EMSGSIZE' })
    closeAll(a, b)
  })

  it('throws EPIPE, and no signal, when the peer has closed', () => {
    const [a, b] = native().socketpair()
    closeSync(b)
    assert.throws(
      () => {
        native().sendMessage(a, Buffer.from('x'), [])
      },
      { code: 'EPIPE', syscall: 'sendmsg' },
    )
    closeSync(a)
  })

  it('gives buffers that do not change with the next message', () => {
    const [a, b] = native().socketpair()
    native().sendMessage(a, Buffer.from('first'), [])
    const first = native().receiveMessage(b, 100).data
    native().sendMessage(a, Buffer.from('other'), [])
    native().receiveMessage(b, 100)
    assert.equal(first.toString(), 'first')
    closeAll(a, b)
  })
})

describe('listenUnix, connectUnix, accept', () => {
  checkDescriptors()

  it('connects two ends that nobody else may connect to', async () => {
    using scratch = scratchDirectory()
    const path = join(scratch.path, 'socket')
    const listening = native().listenUnix(path)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    const client = native().connectUnix(path)
    await readable(listening)
    const server = native().accept(listening)
    native().sendMessage(client, Buffer.from('hello'), [])
    await readable(server)
    assert.equal(native().receiveMessage(server, 100).data.toString(), 'hello')
    assert.deepEqual(native().peerCredentials(server), {
      pid: process.pid,
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
    })
    assert.deepEqual(
      [listening, server, client].map((fd) => flagsOf(fd) & (O_CLOEXEC | O_NONBLOCK)),
      [O_CLOEXEC | O_NONBLOCK, O_CLOEXEC | O_NONBLOCK, O_CLOEXEC],
    )
    closeAll(listening, client, server)
  })

  it('throws EAGAIN when nobody connects', () => {
    using scratch = scratchDirectory()
    const listening = native().listenUnix(join(scratch.path, 'socket'))
    assert.throws(() => native().accept(listening), { code: 'EAGAIN', syscall: 'accept4' })
    closeSync(listening)
  })

  it('names the path that failed', () => {
    using scratch = scratchDirectory()
    const path = join(scratch.path, 'nobody')
    assert.throws(() => native().connectUnix(path), {
      code: 'ENOENT',
      errno: 2,
      syscall: 'connect',
      message: `connect ${path}: No such file or directory`,
    })
    assert.throws(() => native().listenUnix(`/${'x'.repeat(120)}`), {
      code: 'ENAMETOOLONG',
      syscall: 'bind',
    })
  })

  it('refuses to bind over a socket that is there', () => {
    using scratch = scratchDirectory()
    const path = join(scratch.path, 'socket')
    const listening = native().listenUnix(path)
    assert.throws(() => native().listenUnix(path), { code: 'EADDRINUSE', syscall: 'bind' })
    closeSync(listening)
  })

  it('throws EAGAIN, and does not wait, when the listener accepts no more', () => {
    using scratch = scratchDirectory()
    const path = join(scratch.path, 'socket')
    const listening = native().listenUnix(path)
    const clients: number[] = []
    assert.throws(
      () => {
        for (;;) clients.push(native().connectUnix(path))
      },
      { code: 'EAGAIN', syscall: 'connect' },
    )
    assert.ok(clients.length > 100)
    closeAll(listening, ...clients)
  })

  it('says when a stream took only a part', async () => {
    using scratch = scratchDirectory()
    const listening = native().listenUnix(join(scratch.path, 'socket'))
    const client = native().connectUnix(join(scratch.path, 'socket'))
    await readable(listening)
    const server = native().accept(listening)
    assert.throws(
      () => {
        native().sendMessage(server, Buffer.alloc(10 << 20), [])
      },
      { code: 'EMSGSIZE' },
    )
    closeAll(listening, client, server)
  })
})
