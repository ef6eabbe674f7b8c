import assert from 'node:assert/strict'
import { EventHub, type EventEnvelope } from '../event-hub.ts'

const envelope = (topic: string): EventEnvelope => ({
  timestampNs: 0n,
  namespace: 'ns',
  topic,
  event: { typeUrl: 't', value: Buffer.alloc(0) },
})

describe('EventHub', () => {
  it('subscribes at the call, not at the first read', async () => {
    const hub = new EventHub()
    const stop = new AbortController()
    const events = hub.subscribe(() => true, stop.signal)
    hub.forward(envelope('/a'))
    hub.forward(envelope('/b'))
    const topics: string[] = []
    for await (const { topic } of events) {
      topics.push(topic)
      if (topic === '/b') stop.abort()
    }
    assert.deepEqual(topics, ['/a', '/b'])
  })

  it('ends for a subscriber that waits when its signal fires', async () => {
    const hub = new EventHub()
    const stop = new AbortController()
    const iterator = hub.subscribe(() => true, stop.signal)[Symbol.asyncIterator]()
    const next = iterator.next()
    stop.abort()
    assert.deepEqual(await next, { done: true, value: undefined })
  })

  it('wakes a subscriber that waits', async () => {
    const hub = new EventHub()
    const iterator = hub.subscribe(() => true, new AbortController().signal)[Symbol.asyncIterator]()
    const next = iterator.next()
    hub.forward(envelope('/a'))
    const { value } = (await next) as IteratorResult<EventEnvelope, undefined>
    assert.equal(value?.topic, '/a')
  })

  it('cuts off who falls too far behind, with a sentence, and serves the others', async () => {
    const hub = new EventHub()
    const signal = new AbortController().signal
    const slow = hub.subscribe(() => true, signal)
    const picky = hub.subscribe(({ topic }) => topic === '/last', signal)[Symbol.asyncIterator]()
    for (let count = 0; count < 65_537; count += 1) hub.forward(envelope('/a'))
    hub.forward(envelope('/last'))
    let received = 0
    await assert.rejects(
      async () => {
        for await (const { topic } of slow) received += topic === '/a' ? 1 : 0
      },
      { code: 'resourceExhausted' },
    )
    assert.equal(received, 65_536)
    const { value } = (await picky.next()) as IteratorResult<EventEnvelope, undefined>
    assert.equal(value?.topic, '/last')
  })
})
