import assert from 'node:assert/strict'
import { pino } from 'pino'
import type { Collection } from '../collector.ts'
import { CollectionScheduler } from '../scheduler.ts'

const NOTHING: Collection = { leases: 0, images: 0, content: 0, ingests: 0, snapshots: 0 }
const log = pino({ enabled: false })

describe('CollectionScheduler', () => {
  it('serves all who ask before a run begins with that run, and those after it with another', async () => {
    let runs = 0
    let finishFirst: () => void = () => undefined
    const first = new Promise<void>((resolve) => {
      finishFirst = resolve
    })
    await using scheduler = new CollectionScheduler({
      log,
      collect: async () => {
        runs += 1
        if (runs === 1) await first
        return NOTHING
      },
    })
    const a = scheduler.collectNow()
    await Promise.resolve()
    await Promise.resolve()
    const b = scheduler.collectNow()
    const c = scheduler.collectNow()
    finishFirst()
    await Promise.all([a, b, c])
    assert.equal(runs, 2)
  })

  it('runs after a deletion', async () => {
    const ran = new Promise<void>((resolve) => {
      const scheduler = new CollectionScheduler({
        log,
        collect: () => {
          resolve()
          return Promise.resolve(NOTHING)
        },
      })
      scheduler.observe({ noteDeletion: true, mutations: 1 })
    })
    await ran
  })

  it('runs after a hundred changes, not before', async () => {
    let runs = 0
    let onRun: () => void = () => undefined
    const ran = new Promise<void>((resolve) => {
      onRun = resolve
    })
    await using scheduler = new CollectionScheduler({
      log,
      collect: () => {
        runs += 1
        onRun()
        return Promise.resolve(NOTHING)
      },
    })
    for (let count = 0; count < 99; count += 1) {
      scheduler.observe({ noteDeletion: false, mutations: 1 })
    }
    await scheduler.collectNow()
    assert.equal(runs, 1)
    scheduler.observe({ noteDeletion: false, mutations: 100 })
    await ran
  })

  it('tells who asked that a run failed, and runs again', async () => {
    let fails = true
    await using scheduler = new CollectionScheduler({
      log,
      collect: () => (fails ? Promise.reject(new Error('disk')) : Promise.resolve(NOTHING)),
    })
    await assert.rejects(scheduler.collectNow(), /disk/)
    fails = false
    assert.deepEqual(await scheduler.collectNow(), NOTHING)
  })

  it('does not run once it is disposed of', async () => {
    let runs = 0
    const scheduler = new CollectionScheduler({
      log,
      collect: () => {
        runs += 1
        return Promise.resolve(NOTHING)
      },
    })
    scheduler.start()
    await scheduler[Symbol.asyncDispose]()
    scheduler.observe({ noteDeletion: true, mutations: 1 })
    assert.equal(runs, 0)
  })
})
