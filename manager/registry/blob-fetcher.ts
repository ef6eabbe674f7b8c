import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ContentStore } from '../content/content-store.ts'
import type { ContentWriter } from '../content/content-writer.ts'
import type { Labels } from '../metadata/labels.ts'
import type { LeaseScope } from '../metadata/lease-store.ts'
import type { ContentDescriptor } from './documents.ts'
import { formatReference } from './reference.ts'
import type { BlobPart, RegistryClient } from './registry-client.ts'
import { storeContent } from './store-content.ts'
import { connectionFailure, noProgress } from './transport.ts'

/** Written and hashed at a time. */
const BATCH_BYTES = 1024 * 1024

export interface BlobFetcherOptions {
  readonly content: ContentStore
  readonly client: RegistryClient
  readonly scope: LeaseScope
  readonly signal: AbortSignal
  readonly onProgress?: (descriptor: ContentDescriptor, fetchedBytes: bigint) => void
}

/** Brings blobs from a registry into the content store, going on where an earlier attempt stopped. */
export class BlobFetcher {
  readonly #options: BlobFetcherOptions

  constructor(options: BlobFetcherOptions) {
    this.#options = options
  }

  /**
   * Fetches a blob unless it is there; of several pulls of the same blob one fetches, the others wait.
   *
   * @throws dataLoss naming both digests when the registry sent something else
   */
  async fetch(descriptor: ContentDescriptor, ref: string, labels: Labels): Promise<void> {
    const { content, client, scope, signal } = this.#options
    const fill = async (writer: ContentWriter): Promise<void> => {
      try {
        await client.attempt(() => this.#transfer(writer, descriptor), signal)
        await this.#commit(writer, descriptor, labels)
      } catch (error) {
        // Wrong bytes are of no use to a later pull, which would go on from them.
        if (error instanceof PlatformError && error.code === 'dataLoss') {
          await content.abort(scope, ref)
        }
        throw error
      }
    }
    await storeContent(content, scope, { ...descriptor, ref, labels }, fill, signal)
  }

  async #transfer(writer: ContentWriter, descriptor: ContentDescriptor): Promise<void> {
    const { client, signal } = this.#options
    if (writer.offsetBytes === BigInt(descriptor.sizeBytes)) return
    const part = await client.openBlob(descriptor.digest, writer.offsetBytes, signal)
    if (part.offsetBytes !== writer.offsetBytes) await writer.truncate()
    await this.#copy(part, writer, descriptor)
    if (writer.offsetBytes < BigInt(descriptor.sizeBytes)) {
      throw connectionFailure(
        part.url,
        new Error(
          `the connection ended after ${String(writer.offsetBytes)} of ${String(descriptor.sizeBytes)} bytes`,
        ),
      )
    }
  }

  async #copy(
    { body, url }: BlobPart,
    writer: ContentWriter,
    descriptor: ContentDescriptor,
  ): Promise<void> {
    const { onProgress, client } = this.#options
    const { noProgressMs } = client
    const limitBytes = BigInt(descriptor.sizeBytes)
    const watchdog = setTimeout(() => body.destroy(noProgress(url, noProgressMs)), noProgressMs)
    let batch: Buffer[] = []
    let batchBytes = 0
    const flush = async (): Promise<void> => {
      await writer.write(Buffer.concat(batch))
      batch = []
      batchBytes = 0
      onProgress?.(descriptor, writer.offsetBytes)
    }
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        watchdog.refresh()
        batch.push(chunk)
        batchBytes += chunk.byteLength
        if (writer.offsetBytes + BigInt(batchBytes) > limitBytes) {
          throw this.#mismatch(descriptor, `more than ${String(descriptor.sizeBytes)} bytes`)
        }
        if (batchBytes >= BATCH_BYTES) await flush()
      }
      if (batchBytes > 0) await flush()
    } catch (error) {
      // What arrived before the connection broke need not be fetched again.
      if (batchBytes > 0 && !(error instanceof PlatformError)) await flush()
      throw connectionFailure(url, error)
    } finally {
      clearTimeout(watchdog)
      body.destroy()
    }
  }

  async #commit(
    writer: ContentWriter,
    descriptor: ContentDescriptor,
    labels: Labels,
  ): Promise<void> {
    try {
      await writer.commit({
        totalBytes: BigInt(descriptor.sizeBytes),
        expected: descriptor.digest,
        labels,
      })
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'failedPrecondition') throw error
      throw this.#mismatch(descriptor, writer.digest())
    }
  }

  #mismatch({ digest, sizeBytes }: ContentDescriptor, found: string): PlatformError {
    return new PlatformError('dataLoss', {
      action: 'fetch blob of',
      subject: formatReference(this.#options.client.reference),
      found,
      wanted: `${digest} of ${String(sizeBytes)} bytes`,
      hint: 'the registry sent other bytes than were asked for',
    })
  }
}
