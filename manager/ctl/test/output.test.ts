import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OutputClosedError, writeWhole } from '../output.ts'

describe('writeWhole', () => {
  let directory: string
  let readFd: number
  let writeFd: number

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berthctl-output-'))
    const path = join(directory, 'fifo')
    execFileSync('mkfifo', [path])
    readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    writeFd = openSync(path, 'w')
  })

  afterEach(() => {
    closeSync(writeFd)
    rmSync(directory, { recursive: true })
  })

  it('writes what the reader reads', () => {
    writeWhole(writeFd, 'größe\n')
    const bytes = Buffer.alloc(100)
    const size = readSync(readFd, bytes)
    closeSync(readFd)
    assert.equal(bytes.toString('utf8', 0, size), 'größe\n')
  })

  it('says that nobody reads any more', () => {
    closeSync(readFd)
    assert.throws(() => {
      writeWhole(writeFd, 'text')
    }, OutputClosedError)
  })
})
