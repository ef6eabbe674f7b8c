import { parseDigest } from '../content/digest.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { EventHub } from '../events/event-hub.ts'
import { namespacedBucket } from './bucket.ts'
import { applyFieldMask, type FieldUpdate } from './field-mask.ts'
import { parseLabels, withLabel, type Labels } from './labels.ts'
import { leaseResource, releaseResource, requireCallLease, type LeaseScope } from './lease-store.ts'
import type { MetadataStore } from './store.ts'
import { nowNs } from './timestamp.ts'

export interface TargetDescriptor {
  readonly mediaType: string
  readonly digest: string
  readonly sizeBytes: bigint
  readonly annotations: Labels
}

export interface ImageRecord {
  readonly labels: Labels
  readonly target: TargetDescriptor
  readonly createdAtNs: bigint
  readonly updatedAtNs: bigint
}

export interface Image extends ImageRecord {
  readonly name: string
}

/** What a client says about an image. */
export type ImageDraft = Pick<Image, 'name' | 'labels' | 'target'>

export const imageBucket = namespacedBucket<ImageRecord>('images')
export const IMAGE_RESOURCE = 'images'
export const EXPIRE_LABEL = 'containerd.io/gc.expire'

const FIELDS: Readonly<Record<string, FieldUpdate<ImageDraft>>> = {
  labels: {
    whole: (current, { labels }) => ({ ...current, labels }),
    part: (current, { labels }, key) => ({
      ...current,
      labels: withLabel(current.labels, key, labels[key] ?? ''),
    }),
  },
  target: { whole: (current, { target }) => ({ ...current, target }) },
  annotations: {
    whole: (current, { target }) => withAnnotations(current, target.annotations),
    part: (current, { target }, key) =>
      withAnnotations(
        current,
        withLabel(current.target.annotations, key, target.annotations[key] ?? ''),
      ),
  },
}

/** Names that point at content. @see containerd-behaviour.md §a, §b */
export class ImageStore {
  readonly #store: MetadataStore
  readonly #events: EventHub

  constructor(store: MetadataStore, events: EventHub) {
    this.#store = store
    this.#events = events
  }

  /** @throws notFound */
  get(namespace: string, name: string): Image {
    const record = this.#store.read((tx) => tx.get(imageBucket, [namespace, name]))
    if (record === undefined) throw imageNotFound('find', name)
    return { name, ...record }
  }

  list(namespace: string): readonly Image[] {
    return this.#store.read((tx) =>
      tx.list(imageBucket, [namespace]).map(({ key, value }) => ({ name: key[1] ?? '', ...value })),
    )
  }

  /**
   * @param createdAtNs for reproducible records; now when left out
   * @throws alreadyExists, invalidArgument
   */
  async create(scope: LeaseScope, draft: ImageDraft, createdAtNs = nowNs()): Promise<Image> {
    const { namespace } = scope
    const { name } = draft
    const { labels, target } = parseDraft(draft)
    return this.#store.write((tx) => {
      requireCallLease(tx, scope)
      if (tx.has(imageBucket, [namespace, name])) {
        throw new PlatformError('alreadyExists', {
          action: 'create image',
          subject: JSON.stringify(name),
        })
      }
      const record: ImageRecord = { labels, target, createdAtNs, updatedAtNs: createdAtNs }
      tx.put(imageBucket, [namespace, name], record)
      if (EXPIRE_LABEL in labels) leaseResource(tx, scope, { type: IMAGE_RESOURCE, id: name })
      tx.afterCommit(() => {
        const type = 'containerd.services.images.v1.ImageCreate'
        this.#events.publish(namespace, '/images/create', type, { name, labels })
      })
      return { name, ...record }
    })
  }

  /** @throws notFound, invalidArgument */
  async update(
    scope: LeaseScope,
    wanted: ImageDraft,
    mask: readonly string[],
    updatedAtNs = nowNs(),
  ): Promise<Image> {
    const { namespace } = scope
    const { name } = wanted
    return this.#store.write((tx) => {
      requireCallLease(tx, scope)
      const current = tx.get(imageBucket, [namespace, name])
      if (current === undefined) throw imageNotFound('update', name)
      const masked = applyFieldMask(`image ${name}`, FIELDS, { name, ...current }, wanted, mask)
      const { labels, target } = parseDraft(masked)
      const record: ImageRecord = { ...current, labels, target, updatedAtNs }
      tx.put(imageBucket, [namespace, name], record)
      if (EXPIRE_LABEL in labels) leaseResource(tx, scope, { type: IMAGE_RESOURCE, id: name })
      // What it pointed at before may be referenced no more.
      if (target.digest !== current.target.digest) tx.noteDeletion()
      tx.afterCommit(() => {
        const type = 'containerd.services.images.v1.ImageUpdate'
        this.#events.publish(namespace, '/images/update', type, { name, labels })
      })
      return { name, ...record }
    })
  }

  /**
   * @param targetDigest delete only if the image still points there
   * @throws notFound
   */
  async delete(scope: LeaseScope, name: string, targetDigest?: string): Promise<void> {
    const { namespace } = scope
    await this.#store.write((tx) => {
      const current = tx.get(imageBucket, [namespace, name])
      if (current === undefined) throw imageNotFound('delete', name)
      if (targetDigest !== undefined && targetDigest !== current.target.digest) {
        throw new PlatformError('notFound', {
          action: 'delete image',
          subject: JSON.stringify(name),
          found: `target ${current.target.digest}`,
          wanted: targetDigest,
        })
      }
      tx.delete(imageBucket, [namespace, name])
      releaseResource(tx, scope, { type: IMAGE_RESOURCE, id: name })
      tx.noteDeletion()
      tx.afterCommit(() => {
        this.publishDelete(namespace, name)
      })
    })
  }

  /** Also for the collector, which deletes expired images. */
  publishDelete(namespace: string, name: string): void {
    const type = 'containerd.services.images.v1.ImageDelete'
    this.#events.publish(namespace, '/images/delete', type, { name })
  }
}

function parseDraft({ name, labels, target }: ImageDraft): Pick<Image, 'labels' | 'target'> {
  if (name === '') {
    throw new PlatformError('invalidArgument', {
      action: 'check image',
      found: 'an empty name',
      wanted: 'a name',
    })
  }
  if (target.sizeBytes <= 0n) {
    throw new PlatformError('invalidArgument', {
      action: 'check image',
      subject: name,
      found: `a target of ${String(target.sizeBytes)} bytes`,
      wanted: 'more than 0',
    })
  }
  parseDigest(target.digest)
  return {
    labels: parseLabels(labels),
    target: { ...target, annotations: parseLabels(target.annotations) },
  }
}

function withAnnotations(draft: ImageDraft, annotations: Labels): ImageDraft {
  return { ...draft, target: { ...draft.target, annotations } }
}

function imageNotFound(action: string, name: string): PlatformError {
  return new PlatformError('notFound', { action: `${action} image`, subject: JSON.stringify(name) })
}
