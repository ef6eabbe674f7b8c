import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Outbox } from '../outbox.ts'

describe('event outbox', () => {
  let directory: string
  let outbox: Outbox
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-outbox-'))
    outbox = Outbox.open(directory)
  })
  afterEach(() => {
    outbox.close()
    rmSync(directory, { recursive: true })
  })

  const reopen = (): void => {
    outbox.close()
    outbox = Outbox.open(directory)
  }
  const takeAll = (): string[] => {
    const taken: string[] = []
    for (let entry = outbox.peek(); entry !== undefined; entry = outbox.peek()) {
      taken.push(`${String(entry.sequence)}:${entry.payload.toString()}`)
      outbox.acknowledge(entry)
    }
    return taken
  }

  it('gives events back in order with consecutive numbers', () => {
    for (const text of ['a', 'b', 'c']) outbox.append(Buffer.from(text))
    assert.deepEqual(takeAll(), ['1:a', '2:b', '3:c'])
    assert.equal(outbox.isEmpty, true)
  })

  it('keeps what was not acknowledged for the next process', () => {
    for (const text of ['a', 'b', 'c']) outbox.append(Buffer.from(text))
    const first = outbox.peek()
    assert.ok(first !== undefined)
    outbox.acknowledge(first)
    reopen()
    assert.deepEqual(takeAll(), ['2:b', '3:c'])
  })

  it('never uses a number twice, even when all was acknowledged', () => {
    outbox.append(Buffer.from('a'))
    takeAll()
    reopen()
    assert.equal(outbox.append(Buffer.from('b')), 2n)
  })

  for (const tornBytes of [1, 4, 11, 12, 13]) {
    it(`forgets a record of which only ${String(tornBytes)} bytes were written`, () => {
      outbox.append(Buffer.from('a'))
      const record = Buffer.alloc(14)
      record.writeUInt32BE(2, 0)
      record.writeBigUInt64BE(2n, 4)
      appendFileSync(join(directory, 'events.log'), record.subarray(0, tornBytes))
      reopen()
      outbox.append(Buffer.from('b'))
      assert.deepEqual(takeAll(), ['1:a', '2:b'])
    })
  }

  it('takes an empty event', () => {
    outbox.append(new Uint8Array())
    assert.deepEqual(takeAll(), ['1:'])
  })

  it('empties its file once a lot has been delivered, and goes on counting', () => {
    const large = Buffer.alloc(100_000)
    for (let count = 0; count < 4; count++) outbox.append(large)
    takeAll()
    assert.equal(statSync(join(directory, 'events.log')).size, 0)
    reopen()
    assert.equal(outbox.append(Buffer.from('x')), 5n)
  })
})
