import { randomBytes } from 'node:crypto'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { parseDigest } from '../content/digest.ts'
import { namespacedBucket } from './bucket.ts'
import { parseLabels, type Labels } from './labels.ts'
import { nowNs } from './timestamp.ts'
import type { ReadTransaction, WriteTransaction } from './transaction.ts'

export interface LeaseRecord {
  readonly createdAtNs: bigint
  readonly labels: Labels
}

export interface Lease extends LeaseRecord {
  readonly id: string
}

/** Something a lease keeps: type `content`, `ingests`, `images` or `snapshots/<snapshotter>`. */
export interface LeaseResource {
  readonly type: string
  readonly id: string
}

/** Whose lease an operation runs under; a CallContext is one. */
export interface LeaseScope {
  readonly namespace: string
  readonly leaseId: string | undefined
}

export const leaseBucket = namespacedBucket<LeaseRecord>('leases')
/** Keys: namespace, lease id, resource type, resource id. */
export const leaseResourceBucket =
  namespacedBucket<Readonly<Record<string, never>>>('lease-resources')

export function createLease(
  tx: WriteTransaction,
  namespace: string,
  { id = randomLeaseId(), labels = {} }: { readonly id?: string; readonly labels?: Labels },
): Lease {
  if (tx.has(leaseBucket, [namespace, id])) {
    throw new PlatformError('alreadyExists', { action: 'create lease', subject: id })
  }
  const record: LeaseRecord = { createdAtNs: nowNs(), labels: parseLabels(labels) }
  tx.put(leaseBucket, [namespace, id], record)
  return { id, ...record }
}

/** Deletes a lease; what it alone kept goes with the next collection. @throws notFound */
export function deleteLease(tx: WriteTransaction, namespace: string, id: string): void {
  requireLease(tx, namespace, id, 'delete')
  for (const key of tx.keys(leaseResourceBucket, [namespace, id])) {
    tx.delete(leaseResourceBucket, key)
  }
  tx.delete(leaseBucket, [namespace, id])
  tx.noteDeletion()
}

export function listLeases(tx: ReadTransaction, namespace: string): readonly Lease[] {
  return tx.list(leaseBucket, [namespace]).map(({ key, value }) => ({ id: key[1] ?? '', ...value }))
}

/**
 * Puts a resource under the lease of a call; without a lease nothing happens. Every write calls this for
 * what it made or found.
 *
 * @throws notFound when the lease of the call does not exist
 */
export function leaseResource(
  tx: WriteTransaction,
  scope: LeaseScope,
  resource: LeaseResource,
): void {
  const { namespace, leaseId } = scope
  if (leaseId === undefined) return
  requireLease(tx, namespace, leaseId, 'use')
  tx.put(leaseResourceBucket, [namespace, leaseId, resource.type, resource.id], {})
}

/** Takes a resource off the lease of a call, because it ceased to exist or changed its name. */
export function releaseResource(
  tx: WriteTransaction,
  { namespace, leaseId }: LeaseScope,
  resource: LeaseResource,
): void {
  if (leaseId === undefined) return
  tx.delete(leaseResourceBucket, [namespace, leaseId, resource.type, resource.id])
}

/** @throws notFound when the call names a lease that does not exist: every write under a lease checks this */
export function requireCallLease(tx: ReadTransaction, { namespace, leaseId }: LeaseScope): void {
  if (leaseId !== undefined) requireLease(tx, namespace, leaseId, 'use')
}

/** @throws notFound */
export function requireLease(
  tx: ReadTransaction,
  namespace: string,
  id: string,
  action: string,
): LeaseRecord {
  const lease = tx.get(leaseBucket, [namespace, id])
  if (lease === undefined) {
    throw new PlatformError('notFound', { action: `${action} lease`, subject: JSON.stringify(id) })
  }
  return lease
}

export function listLeaseResources(
  tx: ReadTransaction,
  namespace: string,
  id: string,
): readonly LeaseResource[] {
  return tx
    .keys(leaseResourceBucket, [namespace, id])
    .map(([, , type = '', resourceId = '']) => ({ type, id: resourceId }))
}

/**
 * Checks the form of a resource a client wants to add or delete.
 *
 * @throws unimplemented for an unknown type, invalidArgument for a malformed one
 */
export function parseLeaseResource({ type, id }: LeaseResource): LeaseResource {
  const [family = '', ...rest] = type.split('/')
  switch (family) {
    case 'content':
      if (rest.length > 0) throw malformedResource(type, 'content')
      return { type, id: parseDigest(id) }
    case 'ingests':
    case 'images':
      if (rest.length > 0) throw malformedResource(type, family)
      if (id === '') throw malformedResource('an empty id', 'an id')
      return { type, id }
    case 'snapshots':
      if (rest.length !== 1 || rest[0] === '') {
        throw malformedResource(type, 'snapshots/<snapshotter>')
      }
      if (id === '') throw malformedResource('an empty id', 'an id')
      return { type, id }
    default:
      throw new PlatformError('unimplemented', {
        action: 'read lease resource',
        found: `the type ${JSON.stringify(type)}`,
        wanted: 'one of content, ingests, images, snapshots/<snapshotter>',
      })
  }
}

function malformedResource(found: string, wanted: string): PlatformError {
  return new PlatformError('invalidArgument', { action: 'read lease resource', found, wanted })
}

function randomLeaseId(): string {
  return `${String(Date.now())}-${randomBytes(6).toString('base64url')}`
}
