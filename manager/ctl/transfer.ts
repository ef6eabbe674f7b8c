/** Pull and import through the transfer service. @see containerd-behaviour.md §j */
import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { StreamInit } from '../../proto/generated/containerd/services/streaming/v1/streaming.ts'
import { ImageStore } from '../../proto/generated/containerd/types/transfer/imagestore.ts'
import { ImageImportStream } from '../../proto/generated/containerd/types/transfer/importexport.ts'
import { Progress } from '../../proto/generated/containerd/types/transfer/progress.ts'
import { OCIRegistry } from '../../proto/generated/containerd/types/transfer/registry.ts'
import { Data, WindowUpdate } from '../../proto/generated/containerd/types/transfer/streaming.ts'
import type { Any } from '../../proto/generated/google/protobuf/any.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { hostPlatform } from '../registry/platform.ts'
import type { Clients } from './clients.ts'
import type { DuplexCall } from './connection.ts'
import { DEFAULT_SNAPSHOTTER } from './commands/context.ts'

type Stream = DuplexCall<Partial<Any>, Any>
export type OnProgress = (progress: Progress) => void

const CHUNK_BYTES = 32 * 1024

export interface PullOptions {
  /** Without TLS, for a registry on this machine. */
  readonly plainHttp: boolean
  readonly onProgress: OnProgress
}

export async function pullImage(
  clients: Clients,
  name: string,
  options: PullOptions,
): Promise<void> {
  const source = OCIRegistry.fromPartial({
    reference: name,
    resolver: { defaultScheme: options.plainHttp ? 'http' : '' },
  })
  await withProgress(clients, options.onProgress, async (progressStream) => {
    await clients.transfer.transfer({
      source: any('containerd.types.transfer.OCIRegistry', OCIRegistry.encode(source)),
      destination: imageStore(name),
      options: { progressStream },
    })
  })
}

/** @param archive an OCI or docker-save tar */
export async function importImages(
  clients: Clients,
  archive: Readable,
  onProgress: OnProgress,
): Promise<void> {
  const id = streamId()
  const stream = await openStream(clients, id)
  try {
    await withProgress(clients, onProgress, async (progressStream) => {
      const source = ImageImportStream.fromPartial({ stream: id })
      const transferred = clients.transfer.transfer({
        source: any(
          'containerd.types.transfer.ImageImportStream',
          ImageImportStream.encode(source),
        ),
        destination: imageStore(''),
        options: { progressStream },
      })
      // When the manager gives up it stops reading: its answer says why, not the stream.
      const sent = sendUnderCredit(stream, archive)
      await Promise.race([transferred, sent])
      await transferred
    })
  } finally {
    stream.cancel()
  }
}

function imageStore(name: string): Any {
  const { os, architecture, variant } = hostPlatform()
  const platform = { os, architecture, variant, osVersion: '' }
  const store = ImageStore.fromPartial({
    name,
    platforms: [platform],
    unpacks: [{ platform, snapshotter: DEFAULT_SNAPSHOTTER }],
  })
  return any('containerd.types.transfer.ImageStore', ImageStore.encode(store))
}

async function withProgress(
  clients: Clients,
  onProgress: OnProgress,
  work: (progressStream: string) => Promise<void>,
): Promise<void> {
  const id = streamId()
  const stream = await openStream(clients, id)
  const reading = readProgress(stream, onProgress)
  try {
    await work(id)
  } finally {
    stream.cancel()
    await reading
  }
}

async function readProgress(stream: Stream, onProgress: OnProgress): Promise<void> {
  try {
    for await (const { value } of stream) onProgress(Progress.decode(value))
  } catch (error) {
    // The stream is for show; how the transfer went is told by its own answer.
    if (!(error instanceof PlatformError)) throw error
  }
}

/** Registers a stream under an id that a request can name. */
async function openStream({ streaming }: Clients, id: string): Promise<Stream> {
  const stream = streaming.stream()
  await stream.send(any('containerd.services.streaming.v1.StreamInit', StreamInit.encode({ id })))
  const acknowledged = await stream[Symbol.asyncIterator]().next()
  if (acknowledged.done === true) {
    throw new PlatformError('unavailable', { action: 'open a stream', found: 'its end' })
  }
  return stream
}

/** Sends no more than the manager has said it will take. */
async function sendUnderCredit(stream: Stream, archive: Readable): Promise<void> {
  let creditBytes = 0
  let wake: () => void = () => undefined
  const over = new AbortController()
  const credits = (async () => {
    try {
      for await (const { value } of stream) {
        creditBytes += WindowUpdate.decode(value).update
        wake()
      }
    } finally {
      over.abort()
      wake()
    }
  })()
  credits.catch(() => undefined)
  for await (const chunk of archive) {
    const bytes = Buffer.from(chunk as Uint8Array)
    for (let at = 0; at < bytes.byteLength;) {
      while (creditBytes <= 0 && !over.signal.aborted)
        await new Promise<void>((resolve) => (wake = resolve))
      if (over.signal.aborted) return
      const size = Math.min(CHUNK_BYTES, creditBytes, bytes.byteLength - at)
      const data = bytes.subarray(at, at + size)
      await stream.send(any('containerd.types.transfer.Data', Data.encode({ data })))
      creditBytes -= size
      at += size
    }
  }
  stream.end()
}

function any(typeUrl: string, writer: { finish(): Uint8Array }): Any {
  return { typeUrl, value: Buffer.from(writer.finish()) }
}

function streamId(): string {
  return `berthctl-${randomBytes(8).toString('hex')}`
}
