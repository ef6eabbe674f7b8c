import { randomBytes } from 'node:crypto'
import type { Clients } from './clients.ts'

/** Should berthctl be killed, what it made is collected after a day. */
const LEASE_MS = 24 * 60 * 60 * 1000

/** Runs work under a lease, so that nothing it makes is collected before it is in use. */
export async function withLease<T>(
  { leases }: Clients,
  work: (leaseId: string) => Promise<T>,
): Promise<T> {
  const id = `berthctl-${randomBytes(8).toString('hex')}`
  const expires = new Date(Date.now() + LEASE_MS).toISOString()
  await leases.create({ id, labels: { 'containerd.io/gc.expire': expires } })
  try {
    return await work(id)
  } finally {
    await leases.delete({ id })
  }
}
