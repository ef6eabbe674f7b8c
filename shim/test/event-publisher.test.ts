import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ForwardRequest } from '../../proto/generated/containerd/services/ttrpc/events/v1/events.ts'
import { EventPublisher, type DeliverEvent } from '../event-publisher.ts'
import { SILENT_LOG } from '../log.ts'
import { Outbox } from '../outbox.ts'

const start = (containerId: string) =>
  ({ topic: '/tasks/start', message: { containerId, pid: 1 } }) as const

describe('event publisher', () => {
  let directory: string
  let outbox: Outbox
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-publisher-'))
    outbox = Outbox.open(directory)
  })
  afterEach(() => {
    outbox.close()
    rmSync(directory, { recursive: true })
  })

  const publisher = (deliver: DeliverEvent | undefined, pauses: number[] = []): EventPublisher =>
    new EventPublisher({
      outbox,
      namespace: 'default',
      deliver,
      log: SILENT_LOG,
      pause: (timeoutMs) => {
        pauses.push(timeoutMs)
        return Promise.resolve()
      },
    })

  it('delivers in order with namespace, topic and type', async () => {
    const delivered: ForwardRequest[] = []
    const events = publisher((request) => {
      delivered.push(request)
      return Promise.resolve()
    })
    events.publish(start('a'))
    events.publish({ topic: '/tasks/paused', message: { containerId: 'a' } })
    await events.stop(1000)
    assert.deepEqual(
      delivered.map(({ envelope }) => [
        envelope?.namespace,
        envelope?.topic,
        envelope?.event?.typeUrl,
      ]),
      [
        ['default', '/tasks/start', 'containerd.events.TaskStart'],
        ['default', '/tasks/paused', 'containerd.events.TaskPaused'],
      ],
    )
  })

  it('repeats an event until the daemon takes it, and those behind it wait', async () => {
    const attempts: bigint[] = []
    const pauses: number[] = []
    const events = publisher((_request, sequence) => {
      attempts.push(sequence)
      const isAway = attempts.length <= 3
      return isAway
        ? Promise.reject(new PlatformError('unavailable', 'no daemon'))
        : Promise.resolve()
    }, pauses)
    events.publish(start('a'))
    events.publish(start('b'))
    await events.stop(1000)
    assert.deepEqual(attempts, [1n, 1n, 1n, 1n, 2n])
    assert.deepEqual(pauses, [50, 100, 200])
  })

  it('goes past an event that the daemon refuses for good', async () => {
    const attempts: bigint[] = []
    const events = publisher((_request, sequence) => {
      attempts.push(sequence)
      return sequence === 1n
        ? Promise.reject(new PlatformError('invalidArgument', 'bad envelope'))
        : Promise.resolve()
    })
    events.publish(start('a'))
    events.publish(start('b'))
    await events.stop(1000)
    assert.deepEqual(attempts, [1n, 2n])
  })

  it('delivers what an earlier process left', async () => {
    publisher(undefined).publish(start('a'))
    const delivered: bigint[] = []
    const events = publisher((_request, sequence) => {
      delivered.push(sequence)
      return Promise.resolve()
    })
    events.resume()
    await events.stop(1000)
    assert.deepEqual(delivered, [1n])
  })

  it('keeps what it could not deliver before it had to stop', async () => {
    const events = publisher(() => new Promise(() => undefined))
    events.publish(start('a'))
    await events.stop(1)
    assert.equal(outbox.isEmpty, false)
  })
})
