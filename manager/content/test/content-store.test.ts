import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createLease, listLeaseResources } from '../../metadata/lease-store.ts'
import { parseDigest, type Digest } from '../digest.ts'
import { openContentFixture, type ContentFixture } from './content-fixture.ts'

const bytes = Buffer.from('hello, content')
const digestOf = (data: Uint8Array, algorithm = 'sha256'): Digest =>
  parseDigest(`${algorithm}:${createHash(algorithm).update(data).digest('hex')}`)
const digest = digestOf(bytes)
const scope = { namespace: 'ns', leaseId: undefined }

describe('ContentStore: containerd-behaviour.md §c', () => {
  let fixture: ContentFixture

  beforeEach(async () => {
    fixture = await openContentFixture()
  })

  afterEach(async () => {
    await fixture[Symbol.asyncDispose]()
  })

  const put = async (data: Uint8Array, namespace = 'ns', leaseId?: string): Promise<Digest> => {
    const expected = digestOf(data)
    const ref = `put-${expected}`
    const writer = await fixture.content.openWriter({ namespace, leaseId }, { ref, expected })
    try {
      if (writer.offsetBytes === 0n) await writer.write(data)
      const info = await writer.commit({ expected })
      return info.digest
    } finally {
      await writer[Symbol.asyncDispose]()
    }
  }

  const readAll = (namespace: string, of = digest): Promise<Buffer> =>
    fixture.content.readAll(namespace, of, 1 << 20)

  it('writes, commits and reads back', async () => {
    const writer = await fixture.content.openWriter(scope, { ref: 'r', totalBytes: 14n })
    await writer.write(bytes.subarray(0, 5))
    assert.equal(writer.digest(), digestOf(bytes.subarray(0, 5)))
    await writer.write(bytes.subarray(5))
    const info = await writer.commit({ totalBytes: 14n, expected: digest, labels: { a: 'b' } })
    await writer[Symbol.asyncDispose]()
    assert.equal(info.sizeBytes, 14n)
    assert.deepEqual(fixture.content.info('ns', digest).labels, { a: 'b' })
    assert.deepEqual(await readAll('ns'), bytes)
  })

  it('keeps a blob read-only at blobs/<algorithm>/<hex>, and nothing of the ingest', async () => {
    await put(bytes)
    const path = join(fixture.content.rootDir, 'blobs', 'sha256', digest.slice('sha256:'.length))
    const { mode } = await stat(path)
    assert.equal(mode & 0o777, 0o444)
    assert.deepEqual(await readdir(join(fixture.content.rootDir, 'ingest')), [])
  })

  it('shows an uncommitted ingest in status only', async () => {
    const writer = await fixture.content.openWriter(scope, { ref: 'r', totalBytes: 99n })
    await writer.write(bytes)
    const status = await fixture.content.status('ns', 'r')
    assert.equal(status.offsetBytes, 14n)
    assert.equal(status.totalBytes, 99n)
    assert.throws(() => fixture.content.info('ns', digest), { code: 'notFound' })
    await writer[Symbol.asyncDispose]()
  })

  it('goes on with an ingest after the writer went away', async () => {
    const first = await fixture.content.openWriter(scope, { ref: 'r' })
    await first.write(bytes.subarray(0, 6))
    await first[Symbol.asyncDispose]()
    const second = await fixture.content.openWriter(scope, { ref: 'r' })
    assert.equal(second.offsetBytes, 6n)
    assert.equal(second.digest(), digestOf(bytes.subarray(0, 6)))
    await second.write(bytes.subarray(6))
    await second.commit({ expected: digest })
    await second[Symbol.asyncDispose]()
    assert.deepEqual(await readAll('ns'), bytes)
  })

  it('starts anew when another total is announced', async () => {
    const first = await fixture.content.openWriter(scope, { ref: 'r', totalBytes: 10n })
    await first.write(bytes.subarray(0, 6))
    await first[Symbol.asyncDispose]()
    const second = await fixture.content.openWriter(scope, { ref: 'r', totalBytes: 14n })
    assert.equal(second.offsetBytes, 0n)
    await second[Symbol.asyncDispose]()
  })

  it('gives a ref to one writer at a time, per namespace', async () => {
    const first = await fixture.content.openWriter(scope, { ref: 'r' })
    await assert.rejects(fixture.content.openWriter(scope, { ref: 'r' }), { code: 'unavailable' })
    const other = await fixture.content.openWriter({ ...scope, namespace: 'x' }, { ref: 'r' })
    await other[Symbol.asyncDispose]()
    await first[Symbol.asyncDispose]()
    const again = await fixture.content.openWriter(scope, { ref: 'r' })
    await again[Symbol.asyncDispose]()
  })

  it('refuses a commit of another size, and keeps the ingest', async () => {
    const writer = await fixture.content.openWriter(scope, { ref: 'r' })
    await writer.write(bytes)
    await assert.rejects(writer.commit({ totalBytes: 15n }), {
      code: 'failedPrecondition',
      message: /found 14 bytes, want 15 bytes/,
    })
    await writer[Symbol.asyncDispose]()
    assert.equal((await fixture.content.status('ns', 'r')).offsetBytes, 14n)
  })

  it('refuses a commit of another digest, naming both', async () => {
    const expected = digestOf(Buffer.from('other'))
    const writer = await fixture.content.openWriter(scope, { ref: 'r', expected })
    await writer.write(bytes)
    await assert.rejects(writer.commit({ expected }), {
      code: 'failedPrecondition',
      message: new RegExp(`found ${digest}, want ${expected}`),
    })
    await writer[Symbol.asyncDispose]()
    assert.throws(() => fixture.content.info('ns', digest), { code: 'notFound' })
  })

  it('keeps an ingest that failed to commit, until it is opened for the digest it cannot become', async () => {
    const ref = 'r'
    const wanted = { ref, expected: digestOf(Buffer.from('fourteen bytes')), totalBytes: 14n }
    {
      await using writer = await fixture.content.openWriter(scope, wanted)
      await writer.write(bytes)
      await assert.rejects(writer.commit({ expected: wanted.expected }))
    }
    assert.equal((await fixture.content.status('ns', ref)).offsetBytes, 14n)
    {
      await using sameBytes = await fixture.content.openWriter(scope, { ref, totalBytes: 14n })
      assert.equal(sameBytes.offsetBytes, 14n)
    }
    await using again = await fixture.content.openWriter(scope, wanted)
    assert.equal(again.offsetBytes, 0n)
    await again.write(Buffer.from('fourteen bytes'))
    await again.commit({ expected: wanted.expected })
  })

  it('starts over after truncate', async () => {
    const writer = await fixture.content.openWriter(scope, { ref: 'r' })
    await writer.write(Buffer.from('a longer text that was wrong'))
    await writer.truncate()
    await writer.write(bytes)
    await writer.commit({ expected: digest })
    await writer[Symbol.asyncDispose]()
    assert.deepEqual(await readAll('ns'), bytes)
  })

  it('verifies sha512 that is named only at the commit', async () => {
    const expected = digestOf(bytes, 'sha512')
    const writer = await fixture.content.openWriter(scope, { ref: 'r' })
    await writer.write(bytes)
    await writer.commit({ expected })
    await writer[Symbol.asyncDispose]()
    assert.deepEqual(await readAll('ns', expected), bytes)
  })

  it('refuses what is there already, when the writer is opened and when it commits', async () => {
    const late = await fixture.content.openWriter(scope, { ref: 'late' })
    await late.write(bytes)
    await put(bytes)
    await assert.rejects(fixture.content.openWriter(scope, { ref: 'r', expected: digest }), {
      code: 'alreadyExists',
    })
    await assert.rejects(late.commit({ expected: digest }), { code: 'alreadyExists' })
    await late[Symbol.asyncDispose]()
    assert.deepEqual(await fixture.content.listStatuses('ns'), [])
  })

  it('shares a blob of another namespace without data', async () => {
    await put(bytes, 'a')
    assert.throws(() => fixture.content.info('b', digest), { code: 'notFound' })
    const writer = await fixture.content.openWriter(
      { namespace: 'b', leaseId: undefined },
      { ref: 'r', expected: digest },
    )
    assert.equal(writer.offsetBytes, 14n)
    await writer.commit({ expected: digest })
    await writer[Symbol.asyncDispose]()
    assert.deepEqual(await readAll('b'), bytes)
  })

  it('lets a client write shared content all the same', async () => {
    await put(bytes, 'a')
    const writer = await fixture.content.openWriter(
      { namespace: 'b', leaseId: undefined },
      { ref: 'r', expected: digest },
    )
    await writer.truncate()
    await writer.write(bytes)
    await writer.commit({ expected: digest })
    await writer[Symbol.asyncDispose]()
    assert.deepEqual(await readAll('a'), bytes)
    assert.deepEqual(await readAll('b'), bytes)
  })

  it('leases what a call writes, and what it finds', async () => {
    await fixture.store.write((tx) => {
      createLease(tx, 'ns', { id: 'l1' })
      createLease(tx, 'ns', { id: 'l2' })
    })
    await put(bytes, 'ns', 'l1')
    const found = { namespace: 'ns', leaseId: 'l2' }
    await assert.rejects(fixture.content.openWriter(found, { ref: 'r', expected: digest }), {
      code: 'alreadyExists',
    })
    const resources = fixture.store.read((tx) => [
      ...listLeaseResources(tx, 'ns', 'l1'),
      ...listLeaseResources(tx, 'ns', 'l2'),
    ])
    assert.deepEqual(resources, [
      { type: 'content', id: digest },
      { type: 'content', id: digest },
    ])
  })

  it('refuses to write under a lease that is not there', async () => {
    const unknown = { namespace: 'ns', leaseId: 'nothing' }
    await assert.rejects(fixture.content.openWriter(unknown, { ref: 'r' }), { code: 'notFound' })
    const writer = await fixture.content.openWriter(scope, { ref: 'r' })
    await writer[Symbol.asyncDispose]()
  })

  it('publishes create and delete after they happened', async () => {
    const stop = new AbortController()
    const topics: string[] = []
    const events = fixture.events.subscribe(() => true, stop.signal)
    await put(bytes)
    await fixture.content.delete(scope, digest)
    for await (const { topic } of events) {
      topics.push(topic)
      if (topics.length === 2) stop.abort()
    }
    assert.deepEqual(topics, ['/content/create', '/content/delete'])
  })

  it('reads ranges, to the end when the size is zero or too large', async () => {
    await put(bytes)
    const range = async (offset: bigint, size: bigint): Promise<string> => {
      const chunks: Buffer[] = []
      for await (const { data } of fixture.content.read('ns', digest, offset, size))
        chunks.push(data)
      return Buffer.concat(chunks).toString()
    }
    assert.equal(await range(7n, 0n), 'content')
    assert.equal(await range(7n, 3n), 'con')
    assert.equal(await range(7n, 300n), 'content')
    assert.equal(await range(14n, 0n), '')
    assert.throws(() => fixture.content.read('ns', digest, 15n), { code: 'outOfRange' })
    assert.throws(() => fixture.content.read('ns', digest, -1n), { code: 'invalidArgument' })
  })

  it('reads a large blob in chunks of a mebibyte', async () => {
    const large = Buffer.alloc(2.5 * 1024 * 1024, 7)
    const of = await put(large)
    const sizes: number[] = []
    for await (const { data } of fixture.content.read('ns', of)) sizes.push(data.byteLength)
    assert.deepEqual(sizes, [1 << 20, 1 << 20, 1 << 19])
  })

  it('forgets an aborted ingest, and its writer cannot commit', async () => {
    const writer = await fixture.content.openWriter(scope, { ref: 'r' })
    await writer.write(bytes)
    await fixture.content.abort(scope, 'r')
    await assert.rejects(writer.commit({ expected: digest }), { code: 'notFound' })
    await writer[Symbol.asyncDispose]()
    await assert.rejects(fixture.content.status('ns', 'r'), { code: 'notFound' })
    await assert.rejects(fixture.content.abort(scope, 'r'), { code: 'notFound' })
  })

  it('deletes the bytes only when no namespace has them', async () => {
    await put(bytes, 'a')
    await put(bytes, 'b')
    await fixture.content.delete({ namespace: 'a', leaseId: undefined }, digest)
    assert.equal(await fixture.content.sweep(), 0)
    await fixture.content.delete({ namespace: 'b', leaseId: undefined }, digest)
    assert.equal(await fixture.content.sweep(), 1)
    await assert.rejects(readFile(fixture.content.blobPath(digest)), { code: 'ENOENT' })
  })

  it('sweeps beside writers that commit the same blob again and again', async () => {
    const data = Array.from({ length: 20 }, (_, index) => Buffer.from(`blob ${String(index % 4)}`))
    await Promise.all(
      data.map(async (one, index) => {
        const namespace = `ns${String(index)}`
        await put(one, namespace)
        if (index % 3 === 0) {
          await fixture.content.delete({ namespace, leaseId: undefined }, digestOf(one))
        }
        await fixture.content.sweep()
      }),
    )
    for (const [index, one] of data.entries()) {
      if (index % 3 === 0) continue
      assert.deepEqual(await readAll(`ns${String(index)}`, digestOf(one)), one)
    }
  })

  it('has everything after a restart', async () => {
    await put(bytes)
    const writer = await fixture.content.openWriter(scope, { ref: 'open' })
    await writer.write(bytes.subarray(0, 3))
    await writer[Symbol.asyncDispose]()
    await fixture.reopen()
    assert.deepEqual(await readAll('ns'), bytes)
    assert.equal((await fixture.content.status('ns', 'open')).offsetBytes, 3n)
  })
})

describe('parseDigest: image-spec descriptor.md#digests', () => {
  const hex = 'a'.repeat(64)
  for (const raw of [
    '',
    hex,
    `sha256:${hex.slice(1)}`,
    `sha256:${hex}a`,
    `sha256:${hex.toUpperCase()}`,
    `sha512:${hex}`,
    `md5:${'a'.repeat(32)}`,
    'sha256:../../etc/passwd',
    `sha256:${hex}\n`,
  ]) {
    it(`refuses ${JSON.stringify(raw.slice(0, 30))}`, () => {
      assert.throws(() => parseDigest(raw), { code: 'invalidArgument' })
    })
  }
})
