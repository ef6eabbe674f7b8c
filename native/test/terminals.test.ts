import assert from 'node:assert/strict'
import { closeSync, readSync, writeSync } from 'node:fs'
import { native } from '../binding.ts'
import { checkDescriptors, closeAll, readable } from './support.ts'

describe('terminals', () => {
  checkDescriptors()

  it('keep the size they are given', () => {
    const [master, slave] = native().openPty()
    native().setTerminalSize(master, { rows: 24, columns: 101 })
    assert.deepEqual(native().getTerminalSize(slave), { rows: 24, columns: 101 })
    closeAll(master, slave)
  })

  it('pass bytes unchanged in raw mode, until it is restored', async () => {
    const [master, slave] = native().openPty()
    const read = async (): Promise<string> => {
      await readable(master)
      const chunk = Buffer.alloc(100)
      return chunk.toString('utf8', 0, readSync(master, chunk))
    }
    writeSync(slave, 'a\n')
    assert.equal(await read(), 'a\r\n')
    const saved = native().setRawMode(slave)
    writeSync(slave, 'a\n')
    assert.equal(await read(), 'a\n')
    native().restoreMode(slave, saved)
    writeSync(slave, 'a\n')
    assert.equal(await read(), 'a\r\n')
    closeAll(master, slave)
  })

  it('are not what a pipe is', () => {
    const fds = native().pipe()
    assert.throws(() => native().setRawMode(fds[0]), { code: 'ENOTTY' })
    assert.throws(() => native().getTerminalSize(fds[0]), { code: 'ENOTTY', syscall: 'ioctl' })
    closeAll(...fds)
  })

  it('refuse a mode that is none', () => {
    const [master, slave] = native().openPty()
    assert.throws(
      () => {
        native().restoreMode(slave, Buffer.alloc(3))
      },
      { code: 'EINVAL' },
    )
    closeSync(master)
    closeSync(slave)
  })
})
