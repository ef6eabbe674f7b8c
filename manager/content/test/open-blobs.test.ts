import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { parseDigest, type Digest } from '../digest.ts'
import { OpenBlobs } from '../open-blobs.ts'

const digest = (index: number): Digest =>
  parseDigest(`sha256:${index.toString(16).padStart(64, '0')}`)

describe('OpenBlobs', () => {
  let opened: Digest[]
  let closed: Digest[]
  let blobs: OpenBlobs

  beforeEach(() => {
    opened = []
    closed = []
    blobs = new OpenBlobs(async (of) => {
      opened.push(of)
      const file = await open('/dev/null', 'r')
      const close = file.close.bind(file)
      file.close = async () => {
        closed.push(of)
        await close()
      }
      return file
    })
  })

  afterEach(async () => {
    await blobs[Symbol.asyncDispose]()
  })

  const readOnce = async (of: Digest): Promise<void> => {
    await using _blob = await blobs.read(of)
  }

  it('opens once for many reads, also at the same time', async () => {
    await readOnce(digest(1))
    await Promise.all([readOnce(digest(1)), readOnce(digest(1))])
    assert.deepEqual([opened, closed], [[digest(1)], []])
  })

  it('keeps a bounded number, those that were read last', async () => {
    for (let index = 0; index < 18; index++) await readOnce(digest(index))
    assert.deepEqual(closed, [digest(0), digest(1)])
  })

  it('closes a forgotten one after its last reader', async () => {
    {
      await using _blob = await blobs.read(digest(1))
      await blobs.forget(digest(1))
      assert.deepEqual(closed, [])
    }
    assert.deepEqual(closed, [digest(1)])
    await readOnce(digest(1))
    assert.equal(opened.length, 2)
  })

  it('tries again after it could not be opened', async () => {
    let failures = 1
    const unsure = new OpenBlobs(() =>
      failures-- > 0 ? Promise.reject(new Error('busy')) : open('/dev/null', 'r'),
    )
    await assert.rejects(unsure.read(digest(1)), /busy/)
    {
      await using blob = await unsure.read(digest(1))
      assert.ok(blob.file.fd > 0)
    }
    await unsure[Symbol.asyncDispose]()
  })
})
