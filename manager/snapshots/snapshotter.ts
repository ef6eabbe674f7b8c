import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Mount } from '../../proto/generated/containerd/types/mount.ts'
import type { EventHub } from '../events/event-hub.ts'
import { parseFilters } from '../filters/filter.ts'
import { applyFieldMask } from '../metadata/field-mask.ts'
import { parseLabels, withLabel, type Labels } from '../metadata/labels.ts'
import {
  leaseResource,
  releaseResource,
  type LeaseResource,
  type LeaseScope,
} from '../metadata/lease-store.ts'
import type { MetadataStore } from '../metadata/store.ts'
import { nowNs } from '../metadata/timestamp.ts'
import type { ReadTransaction, WriteTransaction } from '../metadata/transaction.ts'
import { diskUsage } from './disk-usage.ts'
import { planMountList } from './mount-list.ts'
import type { SnapshotDirectories } from './snapshot-directories.ts'
import { snapshotFields } from './snapshot-fields.ts'
import {
  snapshotBucket,
  snapshotChildBucket,
  type SnapshotInfo,
  type SnapshotKind,
  type SnapshotRecord,
  type SnapshotUsage,
} from './snapshot-record.ts'

interface Labelled {
  readonly labels: Labels
}

const MUTABLE_FIELDS = {
  labels: {
    whole: (_current: Labelled, { labels }: Labelled): Labelled => ({ labels }),
    part: (current: Labelled, { labels }: Labelled, key: string): Labelled => ({
      labels: withLabel(current.labels, key, labels[key] ?? ''),
    }),
  },
}

/** A client that unpacks says with it what the snapshot will be committed as. */
export const SNAPSHOT_REF_LABEL = 'containerd.io/snapshot.ref'

/** On a snapshot that the manager itself is extracting a layer into. */
export const EXTRACTING_LABEL = 'io.berth.extracting'

export interface SnapshotterOptions {
  /** What clients call it: `overlayfs`. */
  readonly name: string
  readonly store: MetadataStore
  readonly events: EventHub
  readonly directories: SnapshotDirectories
  readonly hasIndexOption: boolean
}

export interface NewSnapshot {
  readonly key: string
  readonly parent: string
  readonly labels: Labels
}

export interface SnapshotCommit {
  readonly name: string
  readonly key: string
  readonly labels: Labels
  /**
   * Put the snapshot onto this parent, where it was prepared without one: layers that were extracted side by
   * side become a chain.
   */
  readonly parent?: string
}

/**
 * Snapshots on overlayfs: directories plus records that say which stands on which.
 *
 * @see containerd-behaviour.md §e
 */
export class Snapshotter {
  readonly name: string
  readonly #store: MetadataStore
  readonly #events: EventHub
  readonly #directories: SnapshotDirectories
  readonly #hasIndexOption: boolean

  constructor(options: SnapshotterOptions) {
    this.name = options.name
    this.#store = options.store
    this.#events = options.events
    this.#directories = options.directories
    this.#hasIndexOption = options.hasIndexOption
    for (const { value } of this.#store.read((tx) => tx.list(snapshotBucket))) {
      this.#directories.reserveThrough(value.directoryId)
    }
  }

  /** @throws alreadyExists, notFound (parent), invalidArgument (parent not committed) */
  async prepare(scope: LeaseScope, snapshot: NewSnapshot): Promise<Mount[]> {
    return await this.#create(scope, snapshot, 'active')
  }

  /** @throws as `prepare` */
  async view(scope: LeaseScope, snapshot: NewSnapshot): Promise<Mount[]> {
    return await this.#create(scope, snapshot, 'view')
  }

  /** @throws notFound, failedPrecondition (committed) */
  mounts(namespace: string, key: string): Mount[] {
    return this.#store.read((tx) => {
      const record = this.#require(tx, namespace, key, 'get mounts of snapshot')
      if (record.kind === 'committed') {
        throw new PlatformError('failedPrecondition', {
          action: 'get mounts of snapshot',
          subject: key,
          found: 'a committed snapshot',
          wanted: 'an active one or a view',
        })
      }
      return this.#mountList(tx, namespace, record)
    })
  }

  /** The directory an active snapshot writes to: where a layer goes. @throws notFound */
  contentsDirectory(namespace: string, key: string): string {
    const record = this.#store.read((tx) =>
      this.#require(tx, namespace, key, 'find directory of snapshot'),
    )
    return this.#directories.contents(record.directoryId)
  }

  /** The directories of a committed snapshot and its ancestors, nearest first. @throws notFound */
  layerDirectories(namespace: string, name: string): string[] {
    return this.#store.read((tx) => {
      const record = this.#require(tx, namespace, name, 'find layers of snapshot')
      return [
        this.#directories.contents(record.directoryId),
        ...this.#lowerDirs(tx, namespace, record.parent),
      ]
    })
  }

  /** @throws alreadyExists (name), notFound (key, parent), failedPrecondition (key not active) */
  async commit(scope: LeaseScope, commit: SnapshotCommit): Promise<void> {
    const { namespace } = scope
    const { name, key, labels } = commit
    await this.#store.write((tx) => {
      const record = this.#require(tx, namespace, key, 'commit snapshot')
      if (record.kind !== 'active') {
        throw new PlatformError('failedPrecondition', {
          action: 'commit snapshot',
          subject: key,
          found: `a ${record.kind === 'view' ? 'view' : 'committed snapshot'}`,
          wanted: 'an active one',
        })
      }
      if (tx.has(snapshotBucket, this.#path(namespace, name)))
        throw alreadyExists('commit snapshot', name)
      const parent = this.#rebase(tx, namespace, record, commit.parent)
      this.#forget(tx, namespace, key, record.parent)
      const timeNs = nowNs()
      this.#remember(tx, namespace, name, {
        directoryId: record.directoryId,
        parent,
        kind: 'committed',
        createdAtNs: record.createdAtNs,
        updatedAtNs: timeNs,
        labels: parseLabels(labels),
      })
      releaseResource(tx, scope, this.#leased(key))
      leaseResource(tx, scope, this.#leased(name))
      tx.afterCommit(() => {
        this.#events.publish(namespace, '/snapshot/commit', 'containerd.events.SnapshotCommit', {
          key,
          name,
          snapshotter: this.name,
        })
      })
    })
  }

  /** Whether there is such a committed snapshot; then it is under the lease of the call. */
  async leaseCommitted(scope: LeaseScope, name: string): Promise<boolean> {
    const isCommitted = (tx: ReadTransaction): boolean =>
      tx.get(snapshotBucket, this.#path(scope.namespace, name))?.kind === 'committed'
    if (!this.#store.read(isCommitted)) return false
    return await this.#store.write((tx) => {
      if (!isCommitted(tx)) return false
      leaseResource(tx, scope, this.#leased(name))
      return true
    })
  }

  /** @throws notFound */
  stat(namespace: string, name: string): SnapshotInfo {
    return this.#store.read((tx) => ({
      name,
      ...this.#require(tx, namespace, name, 'get snapshot'),
    }))
  }

  /** Changes the labels, which is all that can be changed. @throws notFound, invalidArgument (mask) */
  async update(
    namespace: string,
    name: string,
    wanted: { readonly labels: Labels },
    mask: readonly string[],
  ): Promise<SnapshotInfo> {
    return await this.#store.write((tx) => {
      const record = this.#require(tx, namespace, name, 'update snapshot')
      const { labels } = applyFieldMask(`snapshot ${name}`, MUTABLE_FIELDS, record, wanted, mask)
      const updated = { ...record, labels: parseLabels(labels), updatedAtNs: nowNs() }
      tx.put(snapshotBucket, this.#path(namespace, name), updated)
      return { name, ...updated }
    })
  }

  /** @throws invalidArgument when a filter cannot be parsed */
  list(namespace: string, filters: readonly string[]): SnapshotInfo[] {
    const accepts = parseFilters(filters)
    return this.#store
      .read((tx) => tx.list(snapshotBucket, [namespace, this.name]))
      .map(({ key, value }) => ({ name: key[2] ?? '', ...value }))
      .filter((info) => accepts(snapshotFields(info)))
  }

  /** @throws notFound */
  async usage(namespace: string, name: string): Promise<SnapshotUsage> {
    const record = this.#store.read((tx) => this.#require(tx, namespace, name, 'measure snapshot'))
    if (record.usage !== undefined) return record.usage
    // Measured when somebody asks: a walk at every commit would be paid by every pull.
    const usage = await diskUsage(this.#directories.contents(record.directoryId))
    if (record.kind === 'committed') {
      await this.#store.write((tx) => {
        const path = this.#path(namespace, name)
        const current = tx.get(snapshotBucket, path)
        if (current?.directoryId === record.directoryId)
          tx.put(snapshotBucket, path, { ...current, usage })
      })
    }
    return usage
  }

  /** @throws notFound, failedPrecondition (has children) */
  async remove(namespace: string, name: string): Promise<void> {
    const directoryId = await this.#store.write((tx) => {
      const id = this.removeRecord(tx, namespace, name)
      tx.noteDeletion()
      return id
    })
    await this.#directories.remove(directoryId)
  }

  /**
   * The part of a removal that belongs into a transaction; the caller removes the directory, whose number is
   * returned, after the commit.
   *
   * @throws as `remove`
   */
  removeRecord(tx: WriteTransaction, namespace: string, name: string): bigint {
    const record = this.#require(tx, namespace, name, 'remove snapshot')
    if (tx.hasAny(snapshotChildBucket, this.#path(namespace, name))) {
      throw new PlatformError('failedPrecondition', {
        action: 'remove snapshot',
        subject: name,
        found: 'snapshots that stand on it',
        wanted: 'none',
        hint: 'remove its children first',
      })
    }
    this.#forget(tx, namespace, name, record.parent)
    tx.afterCommit(() => {
      this.#events.publish(namespace, '/snapshot/remove', 'containerd.events.SnapshotRemove', {
        key: name,
        snapshotter: this.name,
      })
    })
    return record.directoryId
  }

  /** Removes the directory of a record that has gone. */
  async removeDirectory(directoryId: bigint): Promise<void> {
    await this.#directories.remove(directoryId)
  }

  /** Removes what the manager was extracting when it died: nobody goes on with it. Only before calls are served. */
  async removeAbandoned(): Promise<void> {
    await this.#store.write((tx) => {
      for (const { key, value } of tx.list(snapshotBucket)) {
        const [namespace = '', snapshotter = '', name = ''] = key
        const isAbandoned = snapshotter === this.name && EXTRACTING_LABEL in value.labels
        if (isAbandoned && value.kind === 'active') this.removeRecord(tx, namespace, name)
      }
    })
  }

  /** Removes directories that belong to no snapshot. */
  async cleanup(): Promise<void> {
    const known = new Set(
      this.#store.read((tx) => tx.list(snapshotBucket)).map(({ value }) => value.directoryId),
    )
    await this.#directories.sweep((id) => known.has(id))
  }

  async #create(scope: LeaseScope, snapshot: NewSnapshot, kind: SnapshotKind): Promise<Mount[]> {
    const { namespace } = scope
    const action = kind === 'view' ? 'view snapshot' : 'prepare snapshot'
    checkName(action, snapshot.key)
    await this.#refuseTaken(scope, snapshot, action)
    const parentRecord = this.#store.read((tx) =>
      this.#parent(tx, namespace, snapshot.parent, action),
    )
    const directoryId = await this.#directories.create({
      isWritable: kind === 'active',
      parentId: parentRecord?.directoryId,
    })
    try {
      return await this.#store.write((tx) => {
        if (tx.has(snapshotBucket, this.#path(namespace, snapshot.key))) {
          throw alreadyExists(action, snapshot.key)
        }
        this.#parent(tx, namespace, snapshot.parent, action)
        const timeNs = nowNs()
        const record: SnapshotRecord = {
          directoryId,
          parent: snapshot.parent,
          kind,
          createdAtNs: timeNs,
          updatedAtNs: timeNs,
          labels: parseLabels(snapshot.labels),
        }
        this.#remember(tx, namespace, snapshot.key, record)
        leaseResource(tx, scope, this.#leased(snapshot.key))
        if (kind === 'active') {
          tx.afterCommit(() => {
            this.#events.publish(
              namespace,
              '/snapshot/prepare',
              'containerd.events.SnapshotPrepare',
              { key: snapshot.key, parent: snapshot.parent, snapshotter: this.name },
            )
          })
        }
        return this.#mountList(tx, namespace, record)
      })
    } catch (error) {
      await this.#directories.remove(directoryId)
      throw error
    }
  }

  /** A snapshot that exists already, under the key or as what is to become of it, is leased and reported. */
  async #refuseTaken(scope: LeaseScope, snapshot: NewSnapshot, action: string): Promise<void> {
    const taken = [snapshot.labels[SNAPSHOT_REF_LABEL], snapshot.key].find(
      (name) =>
        name !== undefined &&
        this.#store.read((tx) => tx.has(snapshotBucket, this.#path(scope.namespace, name))),
    )
    if (taken === undefined) return
    if (taken !== snapshot.key && scope.leaseId !== undefined) {
      await this.#store.write((tx) => {
        leaseResource(tx, scope, this.#leased(taken))
      })
    }
    throw alreadyExists(action, taken)
  }

  #parent(
    tx: ReadTransaction,
    namespace: string,
    parent: string,
    action: string,
  ): SnapshotRecord | undefined {
    if (parent === '') return undefined
    const record = tx.get(snapshotBucket, this.#path(namespace, parent))
    if (record === undefined) {
      throw new PlatformError('notFound', {
        action,
        subject: `on parent ${parent}`,
        found: 'no such snapshot',
      })
    }
    if (record.kind !== 'committed') {
      throw new PlatformError('invalidArgument', {
        action,
        subject: `on parent ${parent}`,
        found: `a snapshot that is ${record.kind}`,
        wanted: 'a committed one',
      })
    }
    return record
  }

  /** The parent a snapshot is committed with. */
  #rebase(
    tx: ReadTransaction,
    namespace: string,
    record: SnapshotRecord,
    wanted: string | undefined,
  ): string {
    if (wanted === undefined || wanted === '' || wanted === record.parent) return record.parent
    if (record.parent !== '') {
      throw new PlatformError('invalidArgument', {
        action: 'commit snapshot',
        subject: `on parent ${wanted}`,
        found: `a snapshot prepared on ${record.parent}`,
        wanted: 'one prepared without a parent',
      })
    }
    this.#parent(tx, namespace, wanted, 'commit snapshot')
    return wanted
  }

  #require(tx: ReadTransaction, namespace: string, name: string, action: string): SnapshotRecord {
    const record = tx.get(snapshotBucket, this.#path(namespace, name))
    if (record === undefined) {
      throw new PlatformError('notFound', { action, subject: name, found: 'no such snapshot' })
    }
    return record
  }

  #remember(tx: WriteTransaction, namespace: string, name: string, record: SnapshotRecord): void {
    tx.put(snapshotBucket, this.#path(namespace, name), record)
    if (record.parent !== '') {
      tx.put(snapshotChildBucket, [...this.#path(namespace, record.parent), name], {})
    }
  }

  #forget(tx: WriteTransaction, namespace: string, name: string, parent: string): void {
    tx.delete(snapshotBucket, this.#path(namespace, name))
    if (parent !== '') tx.delete(snapshotChildBucket, [...this.#path(namespace, parent), name])
  }

  #mountList(tx: ReadTransaction, namespace: string, record: SnapshotRecord): Mount[] {
    return planMountList({
      kind: record.kind,
      upperDir: this.#directories.contents(record.directoryId),
      workDir: this.#directories.work(record.directoryId),
      lowerDirs: this.#lowerDirs(tx, namespace, record.parent),
      hasIndexOption: this.#hasIndexOption,
    })
  }

  #lowerDirs(tx: ReadTransaction, namespace: string, parent: string): string[] {
    const directories: string[] = []
    for (let name = parent; name !== '';) {
      const record = this.#require(tx, namespace, name, 'find ancestor snapshot')
      directories.push(this.#directories.contents(record.directoryId))
      name = record.parent
    }
    return directories
  }

  #leased(name: string): LeaseResource {
    return { type: `snapshots/${this.name}`, id: name }
  }

  #path(namespace: string, name: string): [string, string, string] {
    return [namespace, this.name, name]
  }
}

function checkName(action: string, name: string): void {
  if (name === '') {
    throw new PlatformError('invalidArgument', { action, found: 'an empty key', wanted: 'a name' })
  }
}

function alreadyExists(action: string, name: string): PlatformError {
  return new PlatformError('alreadyExists', {
    action,
    subject: name,
    found: 'a snapshot of that name',
  })
}
