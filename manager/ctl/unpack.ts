/** Makes snapshots of an image's layers, where its importer has not. @see containerd-behaviour.md §e */
import { randomBytes } from 'node:crypto'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Clients } from './clients.ts'
import { chainIds, type RunnableImage } from './image.ts'

/** @returns the snapshot that holds the whole image; empty for an image without layers */
export async function unpackImage(
  clients: Clients,
  image: RunnableImage,
  snapshotter: string,
  leaseId: string,
): Promise<string> {
  const chain = chainIds(image.diffIds)
  const top = chain.at(-1) ?? ''
  if (top === '' || (await snapshotExists(clients, snapshotter, top))) return top
  for (const [index, name] of chain.entries()) {
    const layer = image.layers[index]
    if (layer === undefined) {
      throw new PlatformError('invalidArgument', {
        action: 'unpack image',
        subject: image.image.name,
        found: `${String(image.layers.length)} layers`,
        wanted: `${String(chain.length)}, as its configuration says`,
      })
    }
    if (await snapshotExists(clients, snapshotter, name)) continue
    const parent = chain[index - 1] ?? ''
    const key = `extract-${randomBytes(6).toString('hex')} ${name}`
    const { mounts } = await clients.snapshots.prepare({ snapshotter, key, parent }, { leaseId })
    try {
      const { applied } = await clients.diff.apply(
        { diff: { ...layer, size: BigInt(layer.sizeBytes), annotations: {} }, mounts },
        { leaseId },
      )
      if (applied?.digest !== image.diffIds[index]) {
        throw new PlatformError('dataLoss', {
          action: 'unpack layer',
          subject: layer.digest,
          found: `content ${String(applied?.digest)}`,
          wanted: String(image.diffIds[index]),
        })
      }
      await clients.snapshots.commit({ snapshotter, name, key }, { leaseId })
    } catch (error) {
      await clients.snapshots.remove({ snapshotter, key })
      // Somebody else was faster: the same layer is there now.
      if (!(error instanceof PlatformError && error.code === 'alreadyExists')) throw error
    }
  }
  const label = `containerd.io/gc.ref.snapshot.${snapshotter}`
  await clients.content.update({
    info: {
      digest: image.configDigest,
      size: 0n,
      createdAt: undefined,
      updatedAt: undefined,
      labels: { [label]: top },
    },
    updateMask: [`labels.${label}`],
  })
  return top
}

async function snapshotExists(
  { snapshots }: Clients,
  snapshotter: string,
  key: string,
): Promise<boolean> {
  return snapshots.stat({ snapshotter, key }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof PlatformError && error.code === 'notFound') return false
      throw error
    },
  )
}
