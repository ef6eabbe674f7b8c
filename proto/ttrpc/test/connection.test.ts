import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { once } from 'node:events'
import { PlatformError } from '../../errors/platform-error.ts'
import { TaskDefinition } from '../../generated/containerd/runtime/task/v2/shim.ts'
import { EventsDefinition } from '../../generated/containerd/services/ttrpc/events/v1/events.ts'
import { Request, Response } from '../../generated/ttrpc/message.ts'
import { TtrpcClient } from '../client.ts'
import type { CallContext, Handlers } from '../definition.ts'
import { FRAME_TYPE, HEADER_BYTES, MAX_DATA_BYTES, decodeFrame, encodeFrame } from '../frame.ts'
import { TtrpcServer } from '../server.ts'

/** Two ends of one in-memory connection. */
function duplexPair(): readonly [Duplex, Duplex] {
  const sides: Duplex[] = []
  const make = (other: () => Duplex | undefined): Duplex =>
    new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        other()?.push(chunk)
        done()
      },
      final: (done) => {
        other()?.push(null)
        done()
      },
      destroy: (error, done) => {
        const peer = other()
        if (peer?.destroyed === false) peer.push(null)
        done(error)
      },
    })
  const a = make(() => sides[1])
  const b = make(() => sides[0])
  sides.push(a, b)
  return [a, b]
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}

type Forward = Handlers<typeof EventsDefinition>['forward']

const EVENT = {
  envelope: { timestamp: undefined, namespace: 'n', topic: '/tasks/exit', event: undefined },
}

function serve(forward: Forward, options = {}): { server: TtrpcServer; peer: Duplex } {
  const server = new TtrpcServer(options)
  server.register(EventsDefinition, { forward })
  const [ours, theirs] = duplexPair()
  server.serveSocket(ours)
  return { server, peer: theirs }
}

/** Speaks raw bytes and collects the responses. */
function rawPeer(socket: Duplex): { responses: Map<number, Response>; next(): Promise<void> } {
  let bytes = Buffer.alloc(0)
  const responses = new Map<number, Response>()
  let wake = (): void => undefined
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    for (;;) {
      const decoded = decodeFrame(bytes)
      if (decoded.kind !== 'frame') return
      responses.set(decoded.frame.streamId, Response.decode(decoded.frame.data))
      bytes = bytes.subarray(decoded.consumedBytes)
      wake()
    }
  })
  return { responses, next: () => new Promise<void>((resolve) => (wake = resolve)) }
}

function requestFrame(streamId: number, request: Partial<Request> = {}): Uint8Array {
  const data = Request.encode(
    Request.fromPartial({ service: EventsDefinition.fullName, method: 'Forward', ...request }),
  ).finish()
  return encodeFrame({ streamId, type: FRAME_TYPE.request, flags: 0, data })
}

describe('ttrpc client and server', () => {
  it('carry request, metadata and response', async () => {
    let seen: CallContext | undefined
    let topic: string | undefined
    const { server, peer } = serve((request, context) => {
      seen = context
      topic = request.envelope?.topic
      return Promise.resolve({})
    })
    const client = new TtrpcClient(peer)
    const metadata = new Map([['containerd-namespace-ttrpc', 'default']])
    assert.deepEqual(await client.call(EventsDefinition, 'forward', EVENT, { metadata }), {})
    assert.equal(topic, '/tasks/exit')
    assert.equal(seen?.metadata.get('containerd-namespace-ttrpc'), 'default')
    assert.equal(seen.deadlineMs, undefined)
    await server.close()
  })

  it('carry a failure with its facts', async () => {
    const { server, peer } = serve(() =>
      Promise.reject(new PlatformError('notFound', { action: 'find task', subject: 'c1' })),
    )
    const client = new TtrpcClient(peer)
    await assert.rejects(client.call(EventsDefinition, 'forward', EVENT), {
      name: 'PlatformError',
      code: 'notFound',
      message: 'find task c1',
    })
    await server.close()
  })

  it('answer calls in the order they finish', async () => {
    const release: (() => void)[] = []
    const { server, peer } = serve(
      () =>
        new Promise((resolve) =>
          release.push(() => {
            resolve({})
          }),
        ),
    )
    const client = new TtrpcClient(peer)
    const order: string[] = []
    const first = client.call(EventsDefinition, 'forward', EVENT).then(() => order.push('first'))
    const second = client.call(EventsDefinition, 'forward', EVENT).then(() => order.push('second'))
    while (release.length < 2) await new Promise(setImmediate)
    release[1]?.()
    await second
    release[0]?.()
    await first
    assert.deepEqual(order, ['second', 'first'])
    await server.close()
  })

  it('answer Unimplemented for methods nobody registered', async () => {
    const { server, peer } = serve(() => Promise.resolve({}))
    const client = new TtrpcClient(peer)
    await assert.rejects(client.call(TaskDefinition, 'pause', { id: 'c1' }), {
      code: 'unimplemented',
    })
    await server.close()
  })

  it('end a call at its deadline on the client when the server does not', async () => {
    const [ours] = duplexPair()
    const client = new TtrpcClient(ours)
    await assert.rejects(client.call(EventsDefinition, 'forward', EVENT, { timeoutMs: 5 }), {
      code: 'deadlineExceeded',
    })
    await client[Symbol.asyncDispose]()
  })

  it('end a call at the deadline that came over the wire, and tell the handler', async () => {
    const aborted = deferred<unknown>()
    const { server, peer } = serve((_request, { signal, deadlineMs }) => {
      assert.equal(typeof deadlineMs, 'number')
      signal.addEventListener('abort', () => {
        aborted.resolve(signal.reason)
      })
      return new Promise(() => undefined)
    })
    const raw = rawPeer(peer)
    const answered = raw.next()
    peer.write(requestFrame(1, { timeoutNano: 5_000_000n }))
    await answered
    assert.equal(raw.responses.get(1)?.status?.code, 4)
    assert.match(String(await aborted.promise), /no answer after/)
    await server.close()
  })

  it('give up a call whose signal is aborted, and ignore the late answer', async () => {
    let release = (): void => undefined
    const { server, peer } = serve(
      () =>
        new Promise((resolve) => {
          release = () => {
            resolve({})
          }
        }),
    )
    const client = new TtrpcClient(peer)
    const controller = new AbortController()
    const call = client.call(EventsDefinition, 'forward', EVENT, { signal: controller.signal })
    const rejected = assert.rejects(call, { code: 'canceled' })
    await new Promise(setImmediate)
    controller.abort()
    await rejected
    release()
    const next = client.call(EventsDefinition, 'forward', EVENT)
    await new Promise(setImmediate)
    release()
    assert.deepEqual(await next, {})
    await server.close()
  })

  it('reject pending calls when the peer goes away, and tell onClose once', async () => {
    const { server, peer } = serve(() => new Promise(() => undefined))
    const client = new TtrpcClient(peer)
    const reasons: string[] = []
    client.onClose(({ code }) => reasons.push(code))
    const call = client.call(EventsDefinition, 'forward', EVENT)
    const rejected = assert.rejects(call, { code: 'unavailable' })
    await new Promise(setImmediate)
    await server.close()
    await rejected
    await assert.rejects(client.call(EventsDefinition, 'forward', EVENT), { code: 'unavailable' })
    assert.deepEqual(reasons, ['unavailable'])
  })

  it('abort the handler when the peer closes in the middle of a frame', async () => {
    const aborted = deferred<unknown>()
    const { server, peer } = serve((_request, { signal }) => {
      signal.addEventListener('abort', () => {
        aborted.resolve(signal.reason)
      })
      return new Promise(() => undefined)
    })
    peer.write(requestFrame(1))
    peer.write(requestFrame(3).subarray(0, HEADER_BYTES + 2))
    await new Promise(setImmediate)
    peer.destroy()
    assert.match(String(await aborted.promise), /closed the connection/)
    await server.close()
  })

  it('refuse a request over 4 MiB before it is sent', async () => {
    const [ours] = duplexPair()
    const client = new TtrpcClient(ours)
    const value = Buffer.alloc(MAX_DATA_BYTES)
    const request = { envelope: { ...EVENT.envelope, event: { typeUrl: 'x', value } } }
    await assert.rejects(client.call(EventsDefinition, 'forward', request), {
      code: 'resourceExhausted',
    })
    await client[Symbol.asyncDispose]()
  })
})

describe('ttrpc server against hostile peers', () => {
  const hostile: readonly [string, readonly Uint8Array[]][] = [
    ['an even stream id', [requestFrame(2)]],
    ['a stream id used twice', [requestFrame(3), requestFrame(3)]],
    ['a stream id that goes down', [requestFrame(5), requestFrame(3)]],
    [
      'a response frame',
      [encodeFrame({ streamId: 1, type: FRAME_TYPE.response, flags: 0, data: new Uint8Array() })],
    ],
    [
      'a request that is not protobuf',
      [encodeFrame({ streamId: 1, type: 1, flags: 0, data: Buffer.from('ffffffff', 'hex') })],
    ],
    ['HTTP', [Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
  ]
  for (const [name, chunks] of hostile) {
    it(`closes the connection on ${name}`, async () => {
      const errors: PlatformError[] = []
      const { server, peer } = serve(() => Promise.resolve({}), {
        onConnectionError: (error: PlatformError) => errors.push(error),
      })
      peer.resume()
      const ended = once(peer, 'end')
      for (const chunk of chunks) peer.write(chunk)
      await ended
      assert.equal(errors.length, 1)
      await server.close()
    })
  }

  it('answers ResourceExhausted to an oversized request and serves the next', async () => {
    const { server, peer } = serve(() => Promise.resolve({}))
    const raw = rawPeer(peer)
    const head = Buffer.alloc(HEADER_BYTES)
    head.writeUInt32BE(MAX_DATA_BYTES + 1, 0)
    head.writeUInt32BE(1, 4)
    head.writeUInt8(FRAME_TYPE.request, 8)
    const first = raw.next()
    peer.write(head)
    await first
    assert.equal(raw.responses.get(1)?.status?.code, 8)
    const second = raw.next()
    peer.write(Buffer.alloc(MAX_DATA_BYTES + 1))
    peer.write(requestFrame(3))
    await second
    assert.equal(raw.responses.get(3)?.status, undefined)
    await server.close()
  })

  it('answers InvalidArgument to data for a unary stream and to a payload that does not decode', async () => {
    const { server, peer } = serve(() => Promise.resolve({}))
    const raw = rawPeer(peer)
    let answered = raw.next()
    peer.write(
      encodeFrame({ streamId: 9, type: FRAME_TYPE.data, flags: 4, data: new Uint8Array() }),
    )
    await answered
    assert.equal(raw.responses.get(9)?.status?.code, 3)
    answered = raw.next()
    peer.write(requestFrame(11, { payload: Buffer.from('0affffffff', 'hex') }))
    await answered
    assert.equal(raw.responses.get(11)?.status?.code, 3)
    await server.close()
  })

  it('refuses more open calls than allowed', async () => {
    const { server, peer } = serve(() => new Promise(() => undefined), { maxCallsPerConnection: 1 })
    const raw = rawPeer(peer)
    const answered = raw.next()
    peer.write(requestFrame(1))
    peer.write(requestFrame(3))
    await answered
    assert.equal(raw.responses.get(3)?.status?.code, 8)
    await server.close()
  })

  it('lets go of a peer that never reads its answers', async () => {
    const errors: PlatformError[] = []
    const server = new TtrpcServer({ onConnectionError: (error) => errors.push(error) })
    const value = Buffer.alloc(MAX_DATA_BYTES - 100)
    server.register(TaskDefinition, {
      ...({} as Handlers<typeof TaskDefinition>),
      stats: () => Promise.resolve({ stats: { typeUrl: 'x', value } }),
    })
    // A socket whose writes never finish.
    const socket = new Duplex({ read: () => undefined, write: () => undefined })
    server.serveSocket(socket)
    const closed = once(socket, 'close')
    for (const streamId of [1, 3, 5, 7, 9, 11]) {
      socket.push(requestFrame(streamId, { service: TaskDefinition.fullName, method: 'Stats' }))
    }
    await closed
    assert.match(errors[0]?.message ?? '', /unread/)
    await server.close()
  })
})
