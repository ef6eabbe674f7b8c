import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Any } from '../../proto/generated/google/protobuf/any.ts'
import type { EventHub } from '../events/event-hub.ts'
import { parseIdentifier } from '../grpc/identifier.ts'
import { namespacedBucket } from './bucket.ts'
import { applyFieldMask, type FieldUpdate } from './field-mask.ts'
import { parseLabels, withLabel, type Labels } from './labels.ts'
import { requireCallLease, type LeaseScope } from './lease-store.ts'
import type { MetadataStore } from './store.ts'
import { nowNs } from './timestamp.ts'

export interface ContainerRuntime {
  readonly name: string
  readonly options: Any | undefined
}

/** What a client says about a container. */
export interface ContainerDraft {
  readonly id: string
  readonly labels: Labels
  readonly image: string
  readonly runtime: ContainerRuntime
  readonly spec: Any | undefined
  readonly snapshotter: string
  readonly snapshotKey: string
  readonly extensions: Readonly<Record<string, Any>>
  readonly sandbox: string
}

export interface Container extends ContainerDraft {
  readonly createdAtNs: bigint
  readonly updatedAtNs: bigint
}

export type ContainerRecord = Omit<Container, 'id'>

export const containerBucket = namespacedBucket<ContainerRecord>('containers')

const FIELDS: Readonly<Record<string, FieldUpdate<ContainerDraft>>> = {
  labels: {
    whole: (current, { labels }) => ({ ...current, labels }),
    part: (current, { labels }, key) => ({
      ...current,
      labels: withLabel(current.labels, key, labels[key] ?? ''),
    }),
  },
  spec: { whole: (current, { spec }) => ({ ...current, spec }) },
  extensions: {
    whole: (current, { extensions }) => ({ ...current, extensions }),
    part: (current, { extensions }, key) => ({
      ...current,
      extensions: withExtension(current.extensions, key, extensions[key]),
    }),
  },
  image: { whole: (current, { image }) => ({ ...current, image }) },
  snapshotkey: { whole: (current, { snapshotKey }) => ({ ...current, snapshotKey }) },
}

/** What containers are made of; whether one runs is the business of tasks. @see containerd-behaviour.md §a, §b */
export class ContainerStore {
  readonly #store: MetadataStore
  readonly #events: EventHub

  constructor(store: MetadataStore, events: EventHub) {
    this.#store = store
    this.#events = events
  }

  /** @throws notFound */
  get(namespace: string, id: string): Container {
    const record = this.#store.read((tx) => tx.get(containerBucket, [namespace, id]))
    if (record === undefined) throw containerNotFound('find', id)
    return { id, ...record }
  }

  list(namespace: string): readonly Container[] {
    return this.#store.read((tx) =>
      tx
        .list(containerBucket, [namespace])
        .map(({ key, value }) => ({ id: key[1] ?? '', ...value })),
    )
  }

  /** @throws alreadyExists, invalidArgument */
  async create(scope: LeaseScope, draft: ContainerDraft): Promise<Container> {
    const { namespace } = scope
    const { id, ...fields } = parseDraft(draft)
    return this.#store.write((tx) => {
      requireCallLease(tx, scope)
      if (tx.has(containerBucket, [namespace, id])) {
        throw new PlatformError('alreadyExists', {
          action: 'create container',
          subject: JSON.stringify(id),
        })
      }
      const createdAtNs = nowNs()
      const record: ContainerRecord = { ...fields, createdAtNs, updatedAtNs: createdAtNs }
      tx.put(containerBucket, [namespace, id], record)
      tx.afterCommit(() => {
        const { image, runtime } = record
        const message = { id, image, runtime: { ...runtime } }
        this.#events.publish(
          namespace,
          '/containers/create',
          'containerd.events.ContainerCreate',
          message,
        )
      })
      return { id, ...record }
    })
  }

  /** @throws notFound, invalidArgument for a field that is not there or not mutable */
  async update(
    scope: LeaseScope,
    wanted: ContainerDraft,
    mask: readonly string[],
  ): Promise<Container> {
    const { namespace } = scope
    const { id } = wanted
    return this.#store.write((tx) => {
      requireCallLease(tx, scope)
      const current = tx.get(containerBucket, [namespace, id])
      if (current === undefined) throw containerNotFound('update', id)
      if (mask.length === 0) refuseImmutable({ id, ...current }, wanted)
      const masked = applyFieldMask(`container ${id}`, FIELDS, { id, ...current }, wanted, mask)
      const { id: _id, ...fields } = parseDraft(masked)
      const record: ContainerRecord = {
        ...fields,
        createdAtNs: current.createdAtNs,
        updatedAtNs: nowNs(),
      }
      tx.put(containerBucket, [namespace, id], record)
      // A snapshot it used before may be referenced no more.
      if (record.snapshotKey !== current.snapshotKey) tx.noteDeletion()
      tx.afterCommit(() => {
        const { image, labels, snapshotKey } = record
        const message = { id, image, labels, snapshotKey }
        this.#events.publish(
          namespace,
          '/containers/update',
          'containerd.events.ContainerUpdate',
          message,
        )
      })
      return { id, ...record }
    })
  }

  /** @throws notFound */
  async delete(scope: LeaseScope, id: string): Promise<void> {
    const { namespace } = scope
    await this.#store.write((tx) => {
      if (!tx.delete(containerBucket, [namespace, id])) throw containerNotFound('delete', id)
      tx.noteDeletion()
      tx.afterCommit(() => {
        const type = 'containerd.events.ContainerDelete'
        this.#events.publish(namespace, '/containers/delete', type, { id })
      })
    })
  }
}

function parseDraft(draft: ContainerDraft): ContainerDraft {
  parseIdentifier(draft.id, 'container id')
  const demand = (isGiven: boolean, wanted: string, found: string): void => {
    if (isGiven) return
    throw new PlatformError('invalidArgument', {
      action: 'check container',
      subject: draft.id,
      found,
      wanted,
    })
  }
  demand(draft.runtime.name !== '', 'the name of a runtime', 'none')
  demand(draft.spec !== undefined, 'a spec', 'none')
  const hasSnapshotter = draft.snapshotKey === '' || draft.snapshotter !== ''
  demand(hasSnapshotter, 'the snapshotter of the snapshot key', 'a snapshot key alone')
  demand(!Object.hasOwn(draft.extensions, ''), 'a name for every extension', 'an empty one')
  return { ...draft, labels: parseLabels(draft.labels) }
}

function refuseImmutable(current: ContainerDraft, wanted: ContainerDraft): void {
  const pairs = [
    ['snapshotter', current.snapshotter, wanted.snapshotter],
    ['runtime.name', current.runtime.name, wanted.runtime.name],
  ] as const
  for (const [field, kept, asked] of pairs) {
    if (kept === asked) continue
    throw new PlatformError('invalidArgument', {
      action: 'update container',
      subject: current.id,
      step: field,
      found: JSON.stringify(asked),
      wanted: `${JSON.stringify(kept)}, which cannot be changed`,
    })
  }
}

function withExtension(
  extensions: Readonly<Record<string, Any>>,
  key: string,
  value: Any | undefined,
): Readonly<Record<string, Any>> {
  const kept = Object.entries(extensions).filter(([name]) => name !== key)
  return Object.fromEntries(value === undefined ? kept : [...kept, [key, value]])
}

function containerNotFound(action: string, id: string): PlatformError {
  return new PlatformError('notFound', {
    action: `${action} container`,
    subject: JSON.stringify(id),
  })
}
