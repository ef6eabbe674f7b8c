import assert from 'node:assert/strict'
import { status } from '@grpc/grpc-js'
import { TaskExit } from '../../../proto/generated/containerd/events/task.ts'
import { EventsDefinition } from '../../../proto/generated/containerd/services/events/v1/events.ts'
import {
  ImagesDefinition,
  type Image,
} from '../../../proto/generated/containerd/services/images/v1/images.ts'
import type { Envelope } from '../../../proto/generated/containerd/types/event.ts'
import { inNamespace, openCoreFixture, type CoreFixture } from './core-fixture.ts'

const LAST = '/test/last'

describe('Events service: containerd-behaviour.md §a, §g', () => {
  let fixture: CoreFixture

  beforeEach(async () => {
    fixture = await openCoreFixture()
  })

  afterEach(async () => {
    await fixture[Symbol.asyncDispose]()
  })

  const publish = async (namespace: string, topic: string, event = anyOf('x')): Promise<void> => {
    const request = { topic, event }
    await fixture.client.unary(EventsDefinition, 'publish', request, inNamespace(namespace))
  }

  /** Topics with their namespaces, from a subscription that stands until the event `LAST`. */
  const record = async (
    filters: string[],
    act: () => Promise<void>,
  ): Promise<readonly Envelope[]> => {
    const all = filters.length === 0 ? [] : [...filters, `topic==${LAST}`]
    const call = fixture.client.serverStream(EventsDefinition, 'subscribe', { filters: all })
    const seen: Envelope[] = []
    const done = new Promise<void>((resolve) => {
      call.on('data', (envelope: Envelope) => {
        if (envelope.topic === LAST) resolve()
        else seen.push(envelope)
      })
    })
    // A call that was sent later on the same connection is answered later: the subscription stands.
    await publish('warm', '/test/warm')
    await act()
    await publish('warm', LAST)
    await done
    call.cancel()
    return seen.filter(({ topic }) => topic !== '/test/warm')
  }

  it('delivers the events of all namespaces in order', async () => {
    const seen = await record([], async () => {
      await publish('a', '/tasks/create')
      await publish('b', '/tasks/start')
      await publish('a', '/tasks/exit')
    })
    assert.deepEqual(
      seen.map(({ namespace, topic }) => [namespace, topic]),
      [
        ['a', '/tasks/create'],
        ['b', '/tasks/start'],
        ['a', '/tasks/exit'],
      ],
    )
    assert.deepEqual(seen[0]?.event, anyOf('x'))
  })

  it("selects with dockerd's filter", async () => {
    const seen = await record(['namespace==moby,topic~=|^/tasks/|'], async () => {
      await publish('moby', '/tasks/start')
      await publish('moby', '/images/create')
      await publish('other', '/tasks/start')
    })
    assert.deepEqual(
      seen.map(({ namespace, topic }) => [namespace, topic]),
      [['moby', '/tasks/start']],
    )
  })

  it('selects by a field of the event', async () => {
    const exit = (containerId: string) => ({
      typeUrl: 'containerd.events.TaskExit',
      value: Buffer.from(TaskExit.encode(TaskExit.fromPartial({ containerId, pid: 7 })).finish()),
    })
    const seen = await record(['event.container_id==c1,event.pid==7'], async () => {
      await publish('a', '/tasks/exit', exit('c1'))
      await publish('a', '/tasks/exit', exit('c2'))
    })
    assert.equal(seen.length, 1)
  })

  it('publishes what the services do, with the bare full name as type', async () => {
    const target = { mediaType: 'm', digest: `sha256:${'a'.repeat(64)}`, size: 1n, annotations: {} }
    const image = { name: 'i', labels: {}, target } as Image
    const seen = await record([], async () => {
      const ns = inNamespace('ns')
      await fixture.client.unary(ImagesDefinition, 'create', { image }, ns)
      await fixture.client.unary(ImagesDefinition, 'update', { image }, ns)
      await fixture.client.unary(ImagesDefinition, 'delete', { name: 'i' }, ns)
    })
    assert.deepEqual(
      seen.map(({ topic, event }) => [topic, event?.typeUrl]),
      [
        ['/images/create', 'containerd.services.images.v1.ImageCreate'],
        ['/images/update', 'containerd.services.images.v1.ImageUpdate'],
        ['/images/delete', 'containerd.services.images.v1.ImageDelete'],
      ],
    )
  })

  it('forwards an envelope as it came', async () => {
    const envelope = {
      timestamp: { seconds: 5n, nanos: 6 },
      namespace: 'ns',
      topic: '/tasks/oom',
      event: anyOf('y'),
    }
    const seen = await record([], async () => {
      await fixture.client.unary(EventsDefinition, 'forward', { envelope })
    })
    assert.deepEqual(seen, [envelope])
  })

  for (const topic of ['', '/', 'tasks', '/tasks//start', '/tasks/st art']) {
    it(`refuses the topic ${JSON.stringify(topic)}`, async () => {
      await assert.rejects(publish('ns', topic), { code: status.INVALID_ARGUMENT })
    })
  }

  it('refuses to publish without a namespace', async () => {
    const request = { topic: '/a', event: anyOf('x') }
    await assert.rejects(fixture.client.unary(EventsDefinition, 'publish', request), {
      code: status.FAILED_PRECONDITION,
    })
  })
})

function anyOf(text: string): { typeUrl: string; value: Buffer } {
  return { typeUrl: 'test.Event', value: Buffer.from(text) }
}
