import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../proto/errors/platform-error.ts'
import type { NativeError } from '../binding.ts'
import { native } from '../binding.ts'
import {
  checkDescriptors,
  closeAll,
  drain,
  finish,
  isOpen,
  readable,
  scratchDirectory,
  shell,
} from './support.ts'

const MIB = 1 << 20

interface Running {
  readonly handle: number
  readonly ended: Promise<{ readonly bytes: bigint; readonly failure: NativeError | undefined }>
}

function pump(source: number, sink: number): Running {
  let handle = 0
  const ended = new Promise<Awaited<Running['ended']>>((resolve) => {
    handle = native().startPump({
      source,
      sink,
      onEnd: (bytes, failure) => {
        resolve({ bytes, failure })
      },
    })
  })
  return { handle, ended }
}

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex')

/** Bytes that never repeat in step with a buffer's size. */
function pattern(size: number): Buffer {
  const seed = Buffer.from(Array.from({ length: 251 }, (_, i) => i))
  return Buffer.alloc(size, seed)
}

/** Writes all of it in the background through a process, and gives the read end. */
function pipeWith(contents: Buffer): {
  readonly source: number
  readonly written: Promise<unknown>
} {
  const [source, writeEnd] = native().pipe()
  const file = native().sealedMemfd('contents', contents)
  const child = shell('exec cat', { fds: [file, writeEnd, -1] })
  closeAll(file, writeEnd)
  return { source, written: finish(child) }
}

/** Bytes that wait in a pipe. */
function fill(fd: number): number {
  const chunk = Buffer.alloc(4096, 'x')
  let total = 0
  for (;;) {
    try {
      total += writeSync(fd, chunk)
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') return total
      throw error
    }
  }
}

const nonBlocking = (fd: number): number =>
  openSync(`/proc/self/fd/${String(fd)}`, constants.O_WRONLY | constants.O_NONBLOCK)

describe('startPump', () => {
  checkDescriptors()

  it('moves 10 MiB from pipe to pipe', async () => {
    const contents = pattern(10 * MIB)
    const { source, written } = pipeWith(contents)
    const [readEnd, sink] = native().pipe()
    const { ended } = pump(source, sink)
    const received = await drain(readEnd)
    assert.equal(sha256(received), sha256(contents))
    assert.deepEqual(await ended, { bytes: BigInt(contents.byteLength), failure: undefined })
    assert.deepEqual([isOpen(source), isOpen(sink)], [false, false])
    await written
  })

  it('moves 10 MiB from a terminal to a pipe; its end is no failure', async () => {
    const contents = pattern(10 * MIB)
    const [master, slave] = native().openPty()
    native().setRawMode(slave)
    const file = native().sealedMemfd('contents', contents)
    const child = shell('exec cat', { fds: [file, slave, -1] })
    closeAll(file, slave)
    const [readEnd, sink] = native().pipe()
    const { ended } = pump(master, sink)
    const received = await drain(readEnd)
    assert.equal(sha256(received), sha256(contents))
    assert.deepEqual(await ended, { bytes: BigInt(contents.byteLength), failure: undefined })
    await finish(child)
  })

  it('moves from a terminal to a file opened for appending, where splice does not go', async () => {
    using scratch = scratchDirectory()
    const contents = pattern(300_000)
    const [master, slave] = native().openPty()
    native().setRawMode(slave)
    const file = native().sealedMemfd('contents', contents)
    const child = shell('exec cat', { fds: [file, slave, -1] })
    closeAll(file, slave)
    const { ended } = pump(master, openSync(join(scratch.path, 'log'), 'a'))
    assert.deepEqual(await ended, { bytes: BigInt(contents.byteLength), failure: undefined })
    assert.equal(sha256(readFileSync(join(scratch.path, 'log'))), sha256(contents))
    await finish(child)
  })

  it('moves from a pipe to a file opened for appending', async () => {
    using scratch = scratchDirectory()
    const contents = pattern(2 * MIB)
    const { source, written } = pipeWith(contents)
    const { ended } = pump(source, openSync(join(scratch.path, 'log'), 'a'))
    assert.deepEqual(await ended, { bytes: BigInt(contents.byteLength), failure: undefined })
    assert.equal(sha256(readFileSync(join(scratch.path, 'log'))), sha256(contents))
    await written
  })

  it('moves a regular file, of which nobody tells that it is ready', async () => {
    const contents = pattern(3 * MIB)
    const [readEnd, sink] = native().pipe()
    const { ended } = pump(native().sealedMemfd('contents', contents), sink)
    assert.equal(sha256(await drain(readEnd)), sha256(contents))
    assert.deepEqual(await ended, { bytes: BigInt(contents.byteLength), failure: undefined })
  })

  it('moves between sockets through its buffer', async () => {
    const [ours, source] = native().socketpair()
    const [sink, far] = native().socketpair()
    const { ended } = pump(source, sink)
    native().sendMessage(ours, Buffer.from('over'), [])
    await readable(far)
    assert.equal(native().receiveMessage(far, 100).data.toString(), 'over')
    closeSync(ours)
    assert.deepEqual(await ended, { bytes: 4n, failure: undefined })
    closeSync(far)
  })

  it('goes on with data that is left when the source hangs up', async () => {
    const [source, writeEnd] = native().pipe()
    writeSync(writeEnd, 'last words')
    closeSync(writeEnd)
    const [readEnd, sink] = native().pipe()
    const { ended } = pump(source, sink)
    assert.equal((await drain(readEnd)).toString(), 'last words')
    assert.equal((await ended).bytes, 10n)
  })

  it('does not take a FIFO that nobody writes to yet for an ended one', async () => {
    using scratch = scratchDirectory()
    const path = join(scratch.path, 'fifo')
    native().mkfifo(path, 0o600)
    const source = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const [readEnd, sink] = native().pipe()
    const { ended } = pump(source, sink)
    await finish(shell('true')) // a turn of the thread
    const writer = openSync(path, constants.O_WRONLY)
    writeSync(writer, 'hello')
    closeSync(writer)
    assert.equal((await drain(readEnd)).toString(), 'hello')
    assert.equal((await ended).bytes, 5n)
  })

  it('leaves the source alone while nobody reads the sink', async () => {
    const [source, writeEnd] = native().pipe()
    const [readEnd, sink] = native().pipe()
    const writer = nonBlocking(writeEnd)
    closeSync(writeEnd)
    const { ended } = pump(source, sink)
    let accepted = fill(writer)
    // Whatever the pump has taken since makes room for more; two full pipes are the end of it.
    for (let turn = 0; turn < 20; turn++) {
      await finish(shell('true'))
      accepted += fill(writer)
    }
    assert.ok(accepted <= 2 * 65_536, `accepted ${String(accepted)} bytes`)
    closeSync(writer)
    assert.equal((await drain(readEnd)).byteLength, accepted)
    assert.equal((await ended).bytes, BigInt(accepted))
  })

  it('keeps at most its buffer while nobody reads a sink without splice', async () => {
    const [master, slave] = native().openPty()
    native().setRawMode(slave)
    const [source, writeEnd] = native().socketpair()
    // The terminal hangs up, and drops what it holds, when the last descriptor of its master is closed.
    const { ended } = pump(source, native().dupCloexec(master))
    let accepted = 0
    const chunk = Buffer.alloc(4096, 'x')
    for (let idleTurns = 0; idleTurns < 5;) {
      try {
        native().sendMessage(writeEnd, chunk, [])
        accepted += chunk.byteLength
        idleTurns = 0
      } catch (error) {
        assert.equal(errnoOf(error), 'EAGAIN')
        idleTurns++
        await finish(shell('true'))
      }
    }
    assert.ok(accepted < MIB, `accepted ${String(accepted)} bytes`)
    closeSync(writeEnd)
    let received = 0
    while (received < accepted) {
      await readable(slave)
      received += readSync(slave, Buffer.alloc(65_536))
    }
    assert.deepEqual(await ended, { bytes: BigInt(accepted), failure: undefined })
    closeAll(master, slave)
  })

  it('stops with EPIPE at a sink that nobody has open for reading', async () => {
    const [source, writeEnd] = native().pipe()
    const [readEnd, sink] = native().pipe()
    closeSync(readEnd)
    const { ended } = pump(source, sink)
    writeSync(writeEnd, 'x')
    const { bytes, failure } = await ended
    assert.equal(bytes, 0n)
    assert.equal(failure?.code, 'EPIPE')
    closeSync(writeEnd)
  })

  it('stops when the reader goes away while it waits for it', async () => {
    const [source, writeEnd] = native().pipe()
    const [readEnd, sink] = native().pipe()
    const writer = nonBlocking(writeEnd)
    closeSync(writeEnd)
    const { ended } = pump(source, sink)
    fill(writer)
    await finish(shell('true'))
    fill(writer)
    closeSync(readEnd)
    assert.equal((await ended).failure?.code, 'EPIPE')
    closeSync(writer)
  })

  it('takes one descriptor for both sides', async () => {
    const [ours, theirs] = native().socketpair()
    const { ended } = pump(theirs, theirs)
    native().sendMessage(ours, Buffer.from('echo'), [])
    await readable(ours)
    assert.equal(native().receiveMessage(ours, 100).data.toString(), 'echo')
    closeSync(ours)
    assert.equal((await ended).bytes, 4n)
  })

  it('serves both directions of a terminal', async () => {
    const [master, slave] = native().openPty()
    native().setRawMode(slave)
    const child = shell('read line; echo "got $line"', { fds: [slave, slave, slave] })
    closeSync(slave)
    const [stdinRead, stdinWrite] = native().pipe()
    const [stdoutRead, stdoutWrite] = native().pipe()
    const input = pump(stdinRead, native().dupCloexec(master))
    const output = pump(master, stdoutWrite)
    writeSync(stdinWrite, 'line\n')
    assert.equal((await drain(stdoutRead)).toString(), 'got line\n')
    assert.equal((await output.ended).failure, undefined)
    closeSync(stdinWrite)
    assert.equal((await input.ended).bytes, 5n)
    await finish(child)
  })

  it('leaves the descriptors to the caller when it cannot start', () => {
    const [readEnd, writeEnd] = native().pipe()
    assert.throws(() => pump2(readEnd), { code: 'EBADF' })
    assert.deepEqual([isOpen(readEnd), isOpen(writeEnd)], [true, true])
    closeAll(readEnd, writeEnd)
  })

  const pump2 = (source: number): number =>
    native().startPump({ source, sink: 4000, onEnd: () => undefined })
})

describe('stopPump', () => {
  checkDescriptors()

  it('moves what is readable now, though the source is still open', async () => {
    const [source, writeEnd] = native().pipe()
    const [readEnd, sink] = native().pipe()
    writeSync(writeEnd, 'rest')
    const { handle, ended } = pump(source, sink)
    native().stopPump(handle)
    assert.deepEqual(await ended, { bytes: 4n, failure: undefined })
    assert.equal((await drain(readEnd)).toString(), 'rest')
    closeSync(writeEnd)
  })

  it('waits for a slow reader, and not when asked twice', async () => {
    const [source, writeEnd] = native().pipe()
    const [readEnd, sink] = native().pipe()
    const writer = nonBlocking(writeEnd)
    closeSync(writeEnd)
    let accepted = fill(writer)
    const { handle, ended } = pump(source, sink)
    await finish(shell('true'))
    accepted += fill(writer)
    native().stopPump(handle)
    let isEnded = false
    void ended.then(() => (isEnded = true))
    await finish(shell('true'))
    assert.equal(isEnded, false)
    native().stopPump(handle)
    const { bytes, failure } = await ended
    assert.equal(failure, undefined)
    assert.ok(bytes < BigInt(accepted))
    closeAll(writer)
    assert.equal(BigInt((await drain(readEnd)).byteLength), bytes)
  })

  it('ends though the source never stops', async () => {
    const { handle, ended } = pump(openSync('/dev/zero', 'r'), openSync('/dev/null', 'w'))
    native().stopPump(handle)
    assert.equal((await ended).failure, undefined)
  })

  it('does nothing to one that has ended', async () => {
    const { source, written } = pipeWith(Buffer.from('x'))
    const { handle, ended } = pump(source, openSync('/dev/null', 'w'))
    await ended
    native().stopPump(handle)
    await written
  })
})
