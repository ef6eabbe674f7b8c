import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ContentStore } from '../content/content-store.ts'
import type { ContentWriter } from '../content/content-writer.ts'
import type { Digest } from '../content/digest.ts'
import type { Labels } from '../metadata/labels.ts'
import type { LeaseScope } from '../metadata/lease-store.ts'

const OTHER_WRITER_PAUSE_MS = 50

export interface WantedContent {
  readonly ref: string
  readonly digest: Digest
  readonly sizeBytes: number
  readonly labels: Labels
}

/**
 * Makes sure that content is in the store and under the lease of the call. What is there already only gets
 * the labels; while somebody else writes it, this waits for them.
 *
 * @param fill writes what is missing and commits
 */
export async function storeContent(
  content: ContentStore,
  scope: LeaseScope,
  wanted: WantedContent,
  fill: (writer: ContentWriter) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { ref, digest, sizeBytes, labels } = wanted
  for (;;) {
    try {
      await using writer = await content.openWriter(scope, {
        ref,
        totalBytes: BigInt(sizeBytes),
        expected: digest,
      })
      await fill(writer)
      return
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error
      if (error.code === 'alreadyExists') {
        await content.updateLabels(scope.namespace, digest, (current) =>
          mergeLabels(current, labels),
        )
        return
      }
      if (error.code !== 'unavailable' || !content.hasWriter(scope.namespace, ref)) throw error
    }
    await sleep(OTHER_WRITER_PAUSE_MS, undefined, { signal })
  }
}

/** As `storeContent`, for bytes at hand. */
export async function storeBytes(
  content: ContentStore,
  scope: LeaseScope,
  bytes: Uint8Array,
  wanted: Omit<WantedContent, 'sizeBytes'>,
  signal: AbortSignal,
): Promise<void> {
  const { digest, labels } = wanted
  const fill = async (writer: ContentWriter): Promise<void> => {
    if (writer.offsetBytes !== BigInt(bytes.byteLength)) {
      await writer.truncate()
      await writer.write(bytes)
    }
    await writer.commit({ expected: digest, labels })
  }
  await storeContent(content, scope, { ...wanted, sizeBytes: bytes.byteLength }, fill, signal)
}

/** The source labels list every repository a blob was seen in. */
export function mergeLabels(current: Labels, added: Labels): Labels {
  const merged: Record<string, string> = { ...current }
  for (const [key, value] of Object.entries(added)) {
    const before = merged[key]
    const isList = key.startsWith('containerd.io/distribution.source.')
    merged[key] =
      before === undefined || !isList
        ? value
        : [...new Set([...before.split(','), value])].sort().join(',')
  }
  return merged
}
