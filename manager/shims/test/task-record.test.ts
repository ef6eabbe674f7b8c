import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Bundle } from '../bundle.ts'
import { parseTaskRecord, readTaskRecord, writeTaskRecord } from '../task-record.ts'

describe('task record', () => {
  it('is read as it was written', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-test-'))
    const roots = { stateDirectory: join(directory, 's'), rootDirectory: join(directory, 'r') }
    const bundle = await Bundle.create(roots, 'ns', 'c1', Buffer.from('{}'))
    const record = {
      initPid: 12,
      initStartTicks: 9_007_199_254_740_993n,
      io: { stdin: 'a', stdout: 'b', stderr: '', terminal: true },
      exit: { exitStatus: 137, exitedAt: { seconds: 5n, nanos: 6 }, isKnown: true },
    }
    await writeTaskRecord(bundle, record)
    assert.deepEqual(await readTaskRecord(bundle), record)
    await writeTaskRecord(bundle, { ...record, initStartTicks: undefined, exit: undefined })
    assert.deepEqual(await readTaskRecord(bundle), {
      ...record,
      initStartTicks: undefined,
      exit: undefined,
    })
    await bundle.writeFileAtomically('berth-task.json', '{"version":')
    assert.equal(await readTaskRecord(bundle), undefined)
    await rm(directory, { recursive: true })
  })

  for (const stored of [undefined, null, 7, [], {}, { version: 2, initPid: 1, io: {} }]) {
    it(`is none when it says ${JSON.stringify(stored)}`, () => {
      assert.equal(parseTaskRecord(stored), undefined)
    })
  }
})
