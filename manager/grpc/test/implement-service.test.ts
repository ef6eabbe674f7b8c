import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import {
  ContentDefinition,
  type ReadContentResponse,
} from '../../../proto/generated/containerd/services/content/v1/content.ts'
import { implementService, type CallReporter } from '../implement-service.ts'
import { GrpcServer } from '../server.ts'
import { FAILURE_TRAILER } from '../status.ts'
import { TestClient } from './test-client.ts'

const CHUNK_BYTES = 64 * 1024

describe('implementService', () => {
  let directory: string
  let server: GrpcServer
  let client: TestClient
  const bugs: unknown[] = []
  const seen: { sent: number; returned: boolean; signal: AbortSignal | undefined } = {
    sent: 0,
    returned: false,
    signal: undefined,
  }
  const report: CallReporter = {
    bug: (_method, error) => bugs.push(error),
    failed: () => undefined,
  }

  const content = implementService(
    ContentDefinition,
    {
      info: ({ digest }, context) => {
        if (digest === 'bug') throw new TypeError('a bug')
        if (digest === 'missing') {
          const facts = { action: 'read content', subject: digest, path: '/blobs/x' }
          return Promise.reject(new PlatformError('notFound', facts))
        }
        const labels = { namespace: context.namespace, lease: context.leaseId ?? '' }
        return Promise.resolve({
          info: {
            digest,
            size: 2n ** 53n + 1n,
            labels,
            createdAt: undefined,
            updatedAt: undefined,
          },
        })
      },
      async *read(_request, { signal }): AsyncGenerator<ReadContentResponse> {
        seen.signal = signal
        try {
          for (let offset = 0n; offset < 1000n; offset += 1n) {
            await Promise.resolve()
            seen.sent += 1
            yield { offset, data: Buffer.alloc(CHUNK_BYTES) }
          }
        } finally {
          seen.returned = true
        }
      },
      async *write(requests) {
        for await (const { action, ref } of requests) {
          if (ref === 'boom') throw new PlatformError('unavailable', 'write content')
          yield {
            action,
            offset: 0n,
            total: 0n,
            digest: ref,
            startedAt: undefined,
            updatedAt: undefined,
          }
          if (action === 2) return
        }
      },
    },
    { unimplemented: ['update', 'list', 'delete', 'status', 'listStatuses', 'abort'] },
  )

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-grpc-'))
    const address = join(directory, 'a', 'test.sock')
    server = await GrpcServer.listen({ address, services: [content], report })
    client = new TestClient(address)
  })

  beforeEach(() => {
    bugs.length = 0
    seen.sent = 0
    seen.returned = false
  })

  after(async () => {
    client.close()
    await server[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  const metadata = (values: Readonly<Record<string, string>>): grpc.Metadata => {
    const result = new grpc.Metadata()
    for (const [key, value] of Object.entries(values)) result.set(key, value)
    return result
  }

  it('serves a unary call with namespace and lease from the headers, 64-bit values intact', async () => {
    const headers = metadata({ 'containerd-namespace': 'moby', 'containerd-lease': 'l1' })
    const { info } = await client.unary(ContentDefinition, 'info', { digest: 'd' }, headers)
    assert.equal(info?.size, 2n ** 53n + 1n)
    assert.deepEqual(info.labels, { namespace: 'moby', lease: 'l1' })
  })

  it('answers FailedPrecondition when a namespace is needed and there is none', async () => {
    await assert.rejects(client.unary(ContentDefinition, 'info', { digest: 'd' }), {
      code: grpc.status.FAILED_PRECONDITION,
    })
  })

  for (const namespace of ['a..b', '-a', 'a b', 'a/b', 'x'.repeat(77)]) {
    it(`answers InvalidArgument to the namespace ${namespace.slice(0, 10)}`, async () => {
      const headers = metadata({ 'containerd-namespace': namespace })
      await assert.rejects(client.unary(ContentDefinition, 'info', { digest: 'd' }, headers), {
        code: grpc.status.INVALID_ARGUMENT,
      })
    })
  }

  it('carries code, sentence with suffix, and facts of a failure', async () => {
    const failure = await client
      .unary(ContentDefinition, 'info', { digest: 'missing' })
      .then(undefined, (error: unknown) => error as grpc.ServiceError)
    assert.ok('code' in failure)
    assert.equal(failure.code, grpc.status.NOT_FOUND)
    assert.equal(failure.details, 'read content missing: /blobs/x: not found')
    const facts: unknown = JSON.parse(String(failure.metadata.get(FAILURE_TRAILER)[0]))
    assert.deepEqual(facts, {
      code: 'notFound',
      action: 'read content',
      subject: 'missing',
      path: '/blobs/x',
    })
  })

  it('reports what nobody foresaw, and tells the client nothing of it', async () => {
    await assert.rejects(client.unary(ContentDefinition, 'info', { digest: 'bug' }), {
      code: grpc.status.INTERNAL,
      details: 'internal error',
    })
    assert.equal(bugs.length, 1)
  })

  it('answers Unimplemented to a method that is listed as such', async () => {
    await assert.rejects(client.unary(ContentDefinition, 'abort', { ref: 'r' }), {
      code: grpc.status.UNIMPLEMENTED,
    })
  })

  it('lets a client that does not read hold the producer back', async () => {
    const call = client.serverStream(ContentDefinition, 'read', {
      digest: 'd',
      offset: 0n,
      size: 0n,
    })
    await client.firstMessage(call)
    call.pause()
    // The producer stops when the windows are full; a full turn of a unary call gives it the time to go on.
    await client.unary(ContentDefinition, 'abort', { ref: '' }).catch(() => undefined)
    assert.ok(seen.sent < 1000, `${String(seen.sent)} of 1000 chunks were produced`)
    call.cancel()
    call.resume()
    await client.closed(call)
  })

  it('ends the handler when the client goes away', async () => {
    const call = client.serverStream(ContentDefinition, 'read', {
      digest: 'd',
      offset: 0n,
      size: 0n,
    })
    await client.firstMessage(call)
    const signal = seen.signal
    assert.ok(signal !== undefined)
    const aborted = new Promise((resolve) => {
      signal.addEventListener('abort', resolve)
    })
    call.cancel()
    await aborted
    await client.unary(ContentDefinition, 'abort', { ref: '' }).catch(() => undefined)
    assert.equal(seen.returned, true)
  })

  it('answers each request of a bidirectional call and ends it when the handler returns', async () => {
    const digests = await client.bidirectional(ContentDefinition, 'write', [
      { action: 0, ref: 'r' },
      { action: 1, ref: 'r' },
      { action: 2, ref: 'last' },
    ])
    assert.deepEqual(
      digests.map(({ digest }) => digest),
      ['r', 'r', 'last'],
    )
  })

  it('carries the failure of a bidirectional call', async () => {
    const call = client.bidirectional(ContentDefinition, 'write', [{ action: 0, ref: 'boom' }])
    await assert.rejects(call, { code: grpc.status.UNAVAILABLE, details: 'write content' })
  })
})

describe('GrpcServer.listen', () => {
  const report: CallReporter = { bug: () => undefined, failed: () => undefined }
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-grpc-'))
  })

  afterEach(async () => {
    await rm(directory, { recursive: true })
  })

  it('makes the directory and a socket of mode 0660, and removes the socket', async () => {
    const address = join(directory, 'deep', 'er', 's.sock')
    const server = await GrpcServer.listen({ address, services: [], report })
    const { mode } = await stat(address)
    await server[Symbol.asyncDispose]()
    assert.equal(mode & 0o777, 0o660)
    await assert.rejects(stat(address), { code: 'ENOENT' })
  })

  it('refuses a socket that somebody serves', async () => {
    const address = join(directory, 's.sock')
    const first = await GrpcServer.listen({ address, services: [], report })
    await assert.rejects(GrpcServer.listen({ address, services: [], report }), {
      code: 'alreadyExists',
    })
    await first[Symbol.asyncDispose]()
  })

  it('refuses to replace a file that is no socket', async () => {
    const address = join(directory, 'file')
    await writeFile(address, 'precious')
    await assert.rejects(GrpcServer.listen({ address, services: [], report }), {
      code: 'alreadyExists',
    })
  })

  it('refuses a path that does not fit into a socket address', async () => {
    const address = join(directory, 'x'.repeat(120))
    await assert.rejects(GrpcServer.listen({ address, services: [], report }), {
      code: 'invalidArgument',
      message: /at most 107/,
    })
  })
})
