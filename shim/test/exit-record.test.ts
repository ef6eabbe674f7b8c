import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  exitRecordOf,
  exitRecordPath,
  readExitRecord,
  writeExitRecord,
  type ExitRecord,
} from '../exit-record.ts'

const RECORD: ExitRecord = {
  pid: 7,
  exitStatus: 3,
  how: 'exited',
  exitedAtNs: 1_800_000_000_123_456_789n,
}

describe('exit record', () => {
  let bundle: string
  beforeEach(() => {
    bundle = mkdtempSync(join(tmpdir(), 'berth-exit-'))
  })
  afterEach(() => {
    rmSync(bundle, { recursive: true })
  })

  it('comes back as it was written, to the nanosecond', () => {
    writeExitRecord(bundle, '', RECORD)
    assert.deepEqual(readExitRecord(bundle, ''), RECORD)
  })

  it('keeps processes apart', () => {
    writeExitRecord(bundle, '', RECORD)
    writeExitRecord(bundle, 'e1', { ...RECORD, exitStatus: 4 })
    assert.equal(readExitRecord(bundle, '')?.exitStatus, 3)
    assert.equal(readExitRecord(bundle, 'e1')?.exitStatus, 4)
  })

  it('leaves no temporary file', () => {
    writeExitRecord(bundle, '', RECORD)
    assert.deepEqual(readdirSync(bundle), ['exit.json'])
  })

  it('is undefined when there is none', () => {
    assert.equal(readExitRecord(bundle, ''), undefined)
  })

  for (const contents of [
    '',
    '{',
    '{"pid":1}',
    '{"pid":1,"exitStatus":0,"how":"guessed","exitedAtNs":"1"}',
  ]) {
    it(`reports ${JSON.stringify(contents)} as data loss`, () => {
      writeFileSync(exitRecordPath(bundle, ''), contents)
      assert.throws(() => readExitRecord(bundle, ''), { code: 'dataLoss' })
    })
  }

  it('says 128 + n for a signal', () => {
    const { exitStatus, how } = exitRecordOf(1, { kind: 'signaled', signal: 9, exitedAtNs: 1n })
    assert.deepEqual({ exitStatus, how }, { exitStatus: 137, how: 'signaled' })
  })

  it('says 255 and that it is unknown, never a made-up signal', () => {
    const { exitStatus, how } = exitRecordOf(1, { kind: 'unknown', exitedAtNs: 1n })
    assert.deepEqual({ exitStatus, how }, { exitStatus: 255, how: 'unknown' })
  })
})
