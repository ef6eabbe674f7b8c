import { createLease, deleteLease, type LeaseScope } from '../../metadata/lease-store.ts'
import type { MetadataStore } from '../../metadata/store.ts'

const LIFETIME_MS = 24 * 3600 * 1000

/**
 * Does work under the lease of the call, or under one that ends with it: nothing is collected before the image names
 * it.
 */
export async function withLease<T>(
  store: MetadataStore,
  call: LeaseScope,
  work: (scope: LeaseScope) => Promise<T>,
): Promise<T> {
  const { namespace, leaseId } = call
  if (leaseId !== undefined) return await work({ namespace, leaseId })
  // If we are killed, the lease goes by itself.
  const expire = new Date(Date.now() + LIFETIME_MS).toISOString()
  const lease = await store.write((tx) =>
    createLease(tx, namespace, { labels: { 'containerd.io/gc.expire': expire } }),
  )
  try {
    return await work({ namespace, leaseId: lease.id })
  } finally {
    await store.write((tx) => {
      deleteLease(tx, namespace, lease.id)
    })
  }
}
