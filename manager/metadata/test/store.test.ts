import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { namespacedBucket } from '../bucket.ts'
import { MetadataStore, namespaceBucket } from '../store.ts'

interface Thing {
  readonly size: bigint
  readonly bytes: Uint8Array
  readonly labels: Readonly<Record<string, string>>
}

const things = namespacedBucket<Thing>('things')
const thingsToo = namespacedBucket<Thing>('things2')
const thing = (size: bigint): Thing => ({ size, bytes: Buffer.from([0, 255, 7]), labels: {} })

describe('MetadataStore', () => {
  let directory: string
  let store: MetadataStore

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-metadata-'))
    store = await MetadataStore.open(directory)
  })

  afterEach(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  it('gives back what was put, with 64-bit integers, bytes and labels that start with a dollar sign', async () => {
    const labels = { $int: '12', 'a.b/c': '', $object: 'x' }
    const value = { size: 2n ** 63n - 1n, bytes: Buffer.from([0, 255, 7]), labels }
    await store.write((tx) => {
      tx.put(things, ['ns', 'a/b@c'], value)
    })
    assert.deepEqual(
      store.read((tx) => tx.get(things, ['ns', 'a/b@c'])),
      value,
    )
  })

  it('undoes a write whose callback throws, and only that one', async () => {
    const results = await Promise.allSettled([
      store.write((tx) => {
        tx.put(things, ['ns', 'kept'], thing(1n))
      }),
      store.write((tx) => {
        tx.put(things, ['ns', 'undone'], thing(2n))
        throw new Error('no')
      }),
      store.write((tx) => {
        tx.put(things, ['ns', 'kept too'], thing(3n))
      }),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.deepEqual(
      store.read((tx) => tx.keys(things, ['ns'])),
      [
        ['ns', 'kept'],
        ['ns', 'kept too'],
      ],
    )
  })

  it('sees its own writes inside a transaction', async () => {
    const seen = await store.write((tx) => {
      tx.put(things, ['ns', 'a'], thing(1n))
      tx.put(things, ['ns', 'b'], thing(2n))
      tx.delete(things, ['ns', 'a'])
      return tx.list(things, ['ns']).map(({ key, value }) => [key[1], value.size])
    })
    assert.deepEqual(seen, [['b', 2n]])
  })

  it('keeps namespaces and buckets apart', async () => {
    await store.write((tx) => {
      tx.put(things, ['a', '1'], thing(1n))
      tx.put(things, ['ab', '2'], thing(2n))
      tx.put(thingsToo, ['a', '3'], thing(3n))
    })
    assert.deepEqual(
      store.read((tx) => tx.keys(things, ['a'])),
      [['a', '1']],
    )
    assert.equal(
      store.read((tx) => tx.hasAny(thingsToo, ['ab'])),
      false,
    )
  })

  it('brings a namespace into being with its first record', async () => {
    await store.write((tx) => {
      tx.put(things, ['fresh', '1'], thing(1n))
    })
    assert.deepEqual(
      store.read((tx) => tx.get(namespaceBucket, ['fresh'])),
      { labels: {} },
    )
  })

  it('runs effects after the commit, in commit order, and none of a write that failed', async () => {
    const order: number[] = []
    await Promise.allSettled(
      [1, 2, 3, 4].map((n) =>
        store.write((tx) => {
          tx.afterCommit(() => order.push(n))
          if (n === 3) throw new Error('no')
        }),
      ),
    )
    assert.deepEqual(order, [1, 2, 4])
  })

  it('gives out every number of a sequence once', async () => {
    const numbers = await Promise.all(
      Array.from({ length: 20 }, () => store.write((tx) => tx.nextSequence('s'))),
    )
    assert.equal(new Set(numbers).size, 20)
  })

  it('has the records after it was closed and opened again', async () => {
    await store.write((tx) => {
      tx.put(things, ['ns', 'a'], thing(5n))
    })
    await store[Symbol.asyncDispose]()
    store = await MetadataStore.open(directory)
    assert.equal(store.read((tx) => tx.get(things, ['ns', 'a']))?.size, 5n)
  })

  it('refuses a name that is too long for a key', async () => {
    await assert.rejects(
      store.write((tx) => {
        tx.put(things, ['ns', 'x'.repeat(3000)], thing(1n))
      }),
      { code: 'invalidArgument' },
    )
  })
})
