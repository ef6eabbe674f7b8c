import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventsDefinition } from '../../../proto/generated/containerd/services/ttrpc/events/v1/events.ts'
import { TtrpcClient } from '../../../proto/ttrpc/client.ts'
import type { EventEnvelope } from '../../events/event-hub.ts'
import { EventEndpoint } from '../event-endpoint.ts'

const ENVELOPE = {
  timestamp: { seconds: 3n, nanos: 4 },
  namespace: 'ns',
  topic: '/tasks/exit',
  event: { typeUrl: 'containerd.events.TaskExit', value: Buffer.from([1]) },
}

function ignore(): void {
  // Nobody reads the log of a test.
}

describe('containerd.services.events.ttrpc.v1.Events/Forward', () => {
  let directory = ''
  let path = ''
  const received: [EventEnvelope, bigint | undefined][] = []
  const listen = (): Promise<EventEndpoint> =>
    EventEndpoint.listen({
      path,
      receive: (envelope, sequence) => received.push([envelope, sequence]),
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    })

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-test-'))
    path = join(directory, 'below', 'm.sock.ttrpc')
    received.length = 0
  })
  afterEach(async () => {
    await rm(directory, { recursive: true })
  })

  it('hands events over with the number their shim gave them', async () => {
    await using _endpoint = await listen()
    await using client = await TtrpcClient.connect(path)
    await client.call(EventsDefinition, 'forward', { envelope: ENVELOPE })
    const metadata = new Map([['berth-event-sequence', '17']])
    await client.call(EventsDefinition, 'forward', { envelope: ENVELOPE }, { metadata })
    const { namespace, topic, event } = ENVELOPE
    const wanted = { timestampNs: 3_000_000_004n, namespace, topic, event }
    assert.deepEqual(received, [
      [wanted, undefined],
      [wanted, 17n],
    ])
  })

  it('refuses an envelope that is not complete', async () => {
    await using _endpoint = await listen()
    await using client = await TtrpcClient.connect(path)
    const envelope = { ...ENVELOPE, event: undefined }
    for (const request of [{ envelope: undefined }, { envelope }]) {
      await assert.rejects(client.call(EventsDefinition, 'forward', request), {
        code: 'invalidArgument',
      })
    }
    assert.deepEqual(received, [])
  })

  it('lets only its owner in, and leaves no socket behind', async () => {
    const endpoint = await listen()
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    await endpoint[Symbol.asyncDispose]()
    assert.deepEqual(await readdir(join(directory, 'below')), [])
  })

  it('does not take the socket of another manager', async () => {
    await using _endpoint = await listen()
    await assert.rejects(listen(), { code: 'alreadyExists' })
  })
})
