import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { EventHub } from '../events/event-hub.ts'
import { parseIdentifier } from '../grpc/identifier.ts'
import type { Bucket } from './bucket.ts'
import { applyFieldMask, type FieldUpdate } from './field-mask.ts'
import { parseLabels, withLabel, type Labels } from './labels.ts'
import { leaseBucket, leaseResourceBucket } from './lease-store.ts'
import { namespaceBucket, type MetadataStore } from './store.ts'

export interface Namespace {
  readonly name: string
  readonly labels: Labels
}

/** Something that keeps a namespace from being deleted, with the word for it. */
export interface NamespaceTenant {
  readonly bucket: Bucket<unknown>
  readonly what: string
}

const FIELDS: Readonly<Record<string, FieldUpdate<Namespace>>> = {
  labels: {
    whole: (current, { labels }) => ({ ...current, labels }),
    part: (current, { labels }, key) => ({
      ...current,
      labels: withLabel(current.labels, key, labels[key] ?? ''),
    }),
  },
}

/** @see containerd-behaviour.md §a */
export class NamespaceStore {
  readonly #store: MetadataStore
  readonly #events: EventHub
  readonly #tenants: readonly NamespaceTenant[]

  constructor(store: MetadataStore, events: EventHub, tenants: readonly NamespaceTenant[]) {
    this.#store = store
    this.#events = events
    this.#tenants = tenants
  }

  /** @throws notFound */
  get(name: string): Namespace {
    const record = this.#store.read((tx) => tx.get(namespaceBucket, [name]))
    if (record === undefined) throw namespaceNotFound('find', name)
    return { name, ...record }
  }

  list(): readonly Namespace[] {
    return this.#store.read((tx) =>
      tx.list(namespaceBucket).map(({ key, value }) => ({ name: key[0] ?? '', ...value })),
    )
  }

  /** @throws alreadyExists, invalidArgument */
  async create(draft: Namespace): Promise<Namespace> {
    const name = parseIdentifier(draft.name, 'namespace')
    const labels = parseLabels(draft.labels)
    return this.#store.write((tx) => {
      if (tx.has(namespaceBucket, [name])) {
        throw new PlatformError('alreadyExists', {
          action: 'create namespace',
          subject: JSON.stringify(name),
        })
      }
      tx.put(namespaceBucket, [name], { labels })
      tx.afterCommit(() => {
        const type = 'containerd.events.NamespaceCreate'
        this.#events.publish(name, '/namespaces/create', type, { name, labels })
      })
      return { name, labels }
    })
  }

  /** @throws notFound, invalidArgument */
  async update(wanted: Namespace, mask: readonly string[]): Promise<Namespace> {
    const { name } = wanted
    return this.#store.write((tx) => {
      const current = tx.get(namespaceBucket, [name])
      if (current === undefined) throw namespaceNotFound('update', name)
      const masked = applyFieldMask(`namespace ${name}`, FIELDS, { name, ...current }, wanted, mask)
      const labels = parseLabels(masked.labels)
      tx.put(namespaceBucket, [name], { labels })
      tx.afterCommit(() => {
        // What was asked for, not what resulted: subscribers of containerd get it so.
        const message = { name, labels: wanted.labels }
        const type = 'containerd.events.NamespaceUpdate'
        this.#events.publish(name, '/namespaces/update', type, message)
      })
      return { name, labels }
    })
  }

  /** Deletes an empty namespace, and the leases in it. @throws notFound, failedPrecondition naming what is in it */
  async delete(name: string): Promise<void> {
    await this.#store.write((tx) => {
      if (!tx.has(namespaceBucket, [name])) throw namespaceNotFound('delete', name)
      const found = this.#tenants.filter(({ bucket }) => tx.hasAny(bucket, [name]))
      if (found.length > 0) {
        throw new PlatformError('failedPrecondition', {
          action: 'delete namespace',
          subject: JSON.stringify(name),
          found: found.map(({ what }) => what).join(', '),
          wanted: 'none',
          // In the words of containerd, which scripts look for.
          hint: 'the namespace must be empty',
        })
      }
      for (const bucket of [leaseBucket, leaseResourceBucket]) {
        for (const key of tx.keys(bucket, [name])) tx.delete(bucket, key)
      }
      tx.delete(namespaceBucket, [name])
      tx.noteDeletion()
      tx.afterCommit(() => {
        const type = 'containerd.events.NamespaceDelete'
        this.#events.publish(name, '/namespaces/delete', type, { name })
      })
    })
  }
}

function namespaceNotFound(action: string, name: string): PlatformError {
  return new PlatformError('notFound', {
    action: `${action} namespace`,
    subject: JSON.stringify(name),
  })
}
