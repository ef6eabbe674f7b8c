import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import {
  ContentDefinition,
  WriteAction,
  type WriteContentRequest,
  type WriteContentResponse,
} from '../../../proto/generated/containerd/services/content/v1/content.ts'
import { LeasesDefinition } from '../../../proto/generated/containerd/services/leases/v1/leases.ts'
import { inNamespace, openCoreFixture, type CoreFixture } from './core-fixture.ts'

const { STAT, WRITE, COMMIT } = WriteAction
const data = Buffer.from('some content')
const digest = `sha256:${createHash('sha256').update(data).digest('hex')}`
const unknown = `sha256:${'0'.repeat(64)}`
const ns = inNamespace('ns')

describe('Content service: containerd-behaviour.md §b, §c', () => {
  let fixture: CoreFixture

  beforeEach(async () => {
    fixture = await openCoreFixture()
  })

  afterEach(async () => {
    const { bugs } = fixture
    await fixture[Symbol.asyncDispose]()
    assert.deepEqual(bugs, [])
  })

  const write = (
    requests: readonly Partial<WriteContentRequest>[],
    metadata = ns,
  ): Promise<readonly WriteContentResponse[]> =>
    fixture.client.bidirectional(ContentDefinition, 'write', requests, metadata)

  const put = (bytes = data, metadata = ns): Promise<readonly WriteContentResponse[]> =>
    write([{ action: COMMIT, ref: `put ${bytes.toString('hex')}`, data: bytes }], metadata)

  it('answers STAT, WRITE and COMMIT one by one with offset and digest so far', async () => {
    const responses = await write([
      { action: STAT, ref: 'r', total: 12n, expected: digest },
      { action: WRITE, data: data.subarray(0, 5) },
      { action: WRITE, offset: 5n, data: data.subarray(5) },
      { action: COMMIT, offset: 12n, total: 12n, expected: digest, labels: { a: 'b' } },
    ])
    assert.deepEqual(
      responses.map(({ action, offset, total }) => [action, offset, total]),
      [
        [STAT, 0n, 12n],
        [WRITE, 5n, 12n],
        [WRITE, 12n, 12n],
        [COMMIT, 12n, 12n],
      ],
    )
    assert.equal(responses[3]?.digest, digest)
    const { info } = await fixture.client.unary(ContentDefinition, 'info', { digest }, ns)
    assert.deepEqual(info?.labels, { a: 'b' })
  })

  it('commits what the COMMIT carries', async () => {
    const [response] = await put()
    assert.equal(response?.digest, digest)
  })

  it('commits an empty blob', async () => {
    const [response] = await write([{ action: COMMIT, ref: 'empty' }])
    assert.equal(response?.digest, `sha256:${createHash('sha256').digest('hex')}`)
  })

  it('goes on where a dropped stream ended', async () => {
    await write([{ action: WRITE, ref: 'r', data: data.subarray(0, 5) }])
    const responses = await write([
      { action: STAT, ref: 'r' },
      { action: COMMIT, offset: 5n, data: data.subarray(5), expected: digest },
    ])
    assert.deepEqual(
      responses.map(({ offset }) => offset),
      [5n, 12n],
    )
  })

  it('starts over at offset 0', async () => {
    await write([{ action: WRITE, ref: 'r', data: Buffer.from('wrong') }])
    const [response] = await write([{ action: COMMIT, ref: 'r', data, expected: digest }])
    assert.equal(response?.offset, 12n)
  })

  it('answers OutOfRange to a hole', async () => {
    const call = write([{ action: WRITE, ref: 'r', offset: 3n, data }])
    await assert.rejects(call, { code: status.OUT_OF_RANGE })
  })

  it('answers InvalidArgument to a first message without a ref', async () => {
    await assert.rejects(write([{ action: STAT }]), { code: status.INVALID_ARGUMENT })
  })

  it('answers InvalidArgument to a malformed expected digest', async () => {
    const call = write([{ action: STAT, ref: 'r', expected: 'sha256:../x' }])
    await assert.rejects(call, { code: status.INVALID_ARGUMENT })
  })

  it('answers AlreadyExists to an expected digest that is there, and drops the ingest', async () => {
    await put()
    await assert.rejects(write([{ action: STAT, ref: 'r', expected: digest }]), {
      code: status.ALREADY_EXISTS,
    })
    const late = write([
      { action: WRITE, ref: 'r', data: data.subarray(0, 3) },
      { action: WRITE, ref: 'r', offset: 3n, data: data.subarray(3), expected: digest },
    ])
    await assert.rejects(late, { code: status.ALREADY_EXISTS })
    await assert.rejects(fixture.client.unary(ContentDefinition, 'status', { ref: 'r' }, ns), {
      code: status.NOT_FOUND,
    })
  })

  it('answers FailedPrecondition to another size or digest at the commit', async () => {
    const size = write([{ action: COMMIT, ref: 'r', data, total: 13n }])
    await assert.rejects(size, { code: status.FAILED_PRECONDITION })
    const other = write([{ action: COMMIT, ref: 'r', data, expected: unknown }])
    await assert.rejects(other, { code: status.FAILED_PRECONDITION })
  })

  it('answers Unavailable while the ref is open elsewhere', async () => {
    const scope = { namespace: 'ns', leaseId: undefined }
    const writer = await fixture.content.openWriter(scope, { ref: 'r' })
    await assert.rejects(write([{ action: STAT, ref: 'r' }]), { code: status.UNAVAILABLE })
    await writer[Symbol.asyncDispose]()
  })

  const missing = [
    ['info', { digest: unknown }],
    ['update', { info: { digest: unknown } }],
    ['delete', { digest: unknown }],
    ['status', { ref: 'none' }],
    ['abort', { ref: 'none' }],
  ] as const
  for (const [method, request] of missing) {
    it(`answers NotFound to ${method} of what is not there`, async () => {
      const call = fixture.client.unary(ContentDefinition, method, request as never, ns)
      await assert.rejects(call, { code: status.NOT_FOUND, details: /: not found$/ })
    })
  }

  for (const method of ['info', 'update', 'delete'] as const) {
    it(`answers InvalidArgument to ${method} with a malformed digest`, async () => {
      const request = { digest: 'sha256:x', info: { digest: 'sha256:x' } }
      const call = fixture.client.unary(ContentDefinition, method, request, ns)
      await assert.rejects(call, { code: status.INVALID_ARGUMENT })
    })
  }

  const read = async (request: {
    digest: string
    offset?: bigint
    size?: bigint
  }): Promise<string> => {
    const call = fixture.client.serverStream(ContentDefinition, 'read', request, ns)
    const messages = await fixture.client.collect(call)
    return Buffer.concat(messages.map(({ data: chunk }) => chunk)).toString()
  }

  it('reads all, a part, and answers OutOfRange beyond the end', async () => {
    await put()
    assert.equal(await read({ digest }), 'some content')
    assert.equal(await read({ digest, offset: 5n, size: 4n }), 'cont')
    await assert.rejects(read({ digest, offset: 13n }), { code: status.OUT_OF_RANGE })
    await assert.rejects(read({ digest: unknown }), { code: status.NOT_FOUND })
  })

  it('lists in blocks of at most 100', async () => {
    const blobs = Array.from({ length: 120 }, (_, index) => Buffer.from(`blob ${String(index)}`))
    await Promise.all(blobs.map((blob) => put(blob)))
    const call = fixture.client.serverStream(ContentDefinition, 'list', {}, ns)
    const messages = await fixture.client.collect(call)
    assert.deepEqual(
      messages.map(({ info }) => info.length),
      [100, 20],
    )
  })

  it('changes labels by mask, and refuses other fields', async () => {
    await put()
    const info = { digest, labels: { a: '1', b: '2' } }
    const update = (updateMask: string[]) =>
      fixture.client.unary(ContentDefinition, 'update', { info: info as never, updateMask }, ns)
    assert.deepEqual((await update(['labels.a'])).info?.labels, { a: '1' })
    assert.deepEqual((await update(['labels'])).info?.labels, { a: '1', b: '2' })
    assert.deepEqual((await update([])).info?.labels, { a: '1', b: '2' })
    await assert.rejects(update(['size']), { code: status.INVALID_ARGUMENT })
  })

  it('keeps what a lease holds, until the lease is deleted synchronously', async () => {
    const leases = LeasesDefinition
    await fixture.client.unary(leases, 'create', { id: 'l' }, ns)
    await put(data, inNamespace('ns', 'l'))
    await fixture.collector.collect()
    assert.equal(await read({ digest }), 'some content')
    await fixture.client.unary(leases, 'delete', { id: 'l', sync: true }, ns)
    await assert.rejects(read({ digest }), { code: status.NOT_FOUND })
  })

  it('keeps an ingest that no lease holds for a day', async () => {
    await write([{ action: WRITE, ref: 'r', data }])
    await fixture.collector.collect()
    const { status: found } = await fixture.client.unary(
      ContentDefinition,
      'status',
      { ref: 'r' },
      ns,
    )
    assert.equal(found?.offset, 12n)
  })
})
