import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Parser, type ReadEntry } from 'tar'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { ContentStore } from '../content/content-store.ts'
import { digestFrom, parseDigest, type Digest } from '../content/digest.ts'
import type { LeaseScope } from '../metadata/lease-store.ts'
import {
  OCI_CONFIG,
  OCI_MANIFEST,
  OCI_PLAIN_LAYER,
  parseDescriptor,
  parseObject,
  type ContentDescriptor,
} from './documents.ts'
import { formatReference, parseReference } from './reference.ts'
import { storeBytes } from './store-content.ts'

const CONTAINERD_NAME = 'io.containerd.image.name'
const OCI_NAME = 'org.opencontainers.image.ref.name'
/** Of the documents in the archive's root (security.md S-48). */
const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
const MAX_ENTRIES = 10_000
const MAX_LINKS = 8

export interface ImportOptions {
  readonly content: ContentStore
  readonly scope: LeaseScope
  readonly signal: AbortSignal
}

export interface ImportedImage {
  /** As the archive calls it; undefined: it does not. */
  readonly name: string | undefined
  readonly target: ContentDescriptor
}

/** What an archive holds, once its blobs are in the content store. */
interface ArchiveContents {
  /** The documents in its root, by path. */
  readonly documents: ReadonlyMap<string, Buffer>
  /** Everything else that is in the content store, by path. */
  readonly blobs: ReadonlyMap<string, { readonly digest: Digest; readonly sizeBytes: number }>
  readonly links: ReadonlyMap<string, string>
}

/**
 * Imports an archive of images, an OCI layout or what `docker save` writes, from its bytes. The blobs go into
 * the content store as they come by.
 *
 * @throws invalidArgument when it is neither, failedPrecondition when a blob is not what its name says
 */
export async function importArchive(
  bytes: AsyncIterable<Buffer>,
  options: ImportOptions,
): Promise<ImportedImage[]> {
  const archive = await readArchive(bytes, options)
  const index = archive.documents.get('index.json')
  if (index !== undefined) return listLayout(index)
  const manifest = archive.documents.get('manifest.json')
  if (manifest !== undefined) return await convertDockerArchive(manifest, archive, options)
  throw new PlatformError('invalidArgument', {
    action: 'import archive',
    found: 'neither index.json nor manifest.json in it',
    wanted: 'an OCI layout or the output of docker save, as a tar archive',
  })
}

async function readArchive(
  bytes: AsyncIterable<Buffer>,
  options: ImportOptions,
): Promise<ArchiveContents> {
  const documents = new Map<string, Buffer>()
  const blobs = new Map<string, { digest: Digest; sizeBytes: number }>()
  const links = new Map<string, string>()
  let entries = 0
  const take = async (entry: ReadEntry): Promise<void> => {
    entries += 1
    if (entries > MAX_ENTRIES) throw tooLarge(`more than ${String(MAX_ENTRIES)} entries`)
    const path = entry.path.replace(/^(?:\.?\/)+/, '')
    if (entry.type === 'SymbolicLink' || entry.type === 'Link') {
      links.set(path, entry.linkpath ?? '')
      entry.resume()
    } else if (entry.type !== 'File' && entry.type !== 'OldFile') {
      entry.resume()
    } else if (/^(?:index|manifest|repositories|oci-layout)(?:\.json)?$/.test(path)) {
      documents.set(path, await readDocument(entry, path))
    } else {
      blobs.set(path, await storeEntry(entry, path, options))
    }
  }
  await parseTar(bytes, take)
  return { documents, blobs, links }
}

/** Runs the parser over the bytes; one entry is taken at a time. */
async function parseTar(
  bytes: AsyncIterable<Buffer>,
  take: (entry: ReadEntry) => Promise<void>,
): Promise<void> {
  const parser = new Parser({ strict: true })
  let taken: Promise<void> = Promise.resolve()
  const failure = new Promise<never>((_resolve, reject) => {
    parser.on('error', (error: unknown) => {
      reject(
        error instanceof PlatformError
          ? error
          : wrapSystemError(error, { action: 'read tar archive' }),
      )
    })
    parser.on('entry', (entry: ReadEntry) => {
      taken = taken.then(() => take(entry))
      taken.catch(reject)
    })
  })
  failure.catch(() => undefined)
  const ended = once(parser, 'end')
  ended.catch(() => undefined)
  for await (const chunk of bytes) {
    if (!parser.write(chunk)) await Promise.race([once(parser, 'drain'), failure])
  }
  parser.end()
  await Promise.race([ended, failure])
  await Promise.race([taken, failure])
}

async function readDocument(entry: ReadEntry, path: string): Promise<Buffer> {
  if (entry.size > MAX_DOCUMENT_BYTES) throw tooLarge(`${String(entry.size)} bytes of ${path}`)
  const chunks: Buffer[] = []
  for await (const chunk of entry) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A path like `blobs/sha256/<hex>` says what the bytes must be; other files are what they are. */
async function storeEntry(
  entry: ReadEntry,
  path: string,
  { content, scope, signal }: ImportOptions,
): Promise<{ digest: Digest; sizeBytes: number }> {
  const named = /^blobs\/(sha256|sha512)\/([0-9a-f]+)$/.exec(path)
  const expected = named === null ? undefined : parseDigest(`${named[1] ?? ''}:${named[2] ?? ''}`)
  const ref = `import-${randomBytes(8).toString('hex')}`
  let digest = expected
  try {
    await using writer = await content.openWriter(scope, {
      ref,
      totalBytes: BigInt(entry.size),
      expected,
    })
    // What another namespace has need not be read again.
    if (writer.offsetBytes === 0n) {
      for await (const chunk of entry) {
        signal.throwIfAborted()
        await writer.write(chunk)
      }
    }
    digest ??= writer.digest()
    await writer.commit({ expected })
  } catch (error) {
    const isThere = error instanceof PlatformError && error.code === 'alreadyExists'
    if (!isThere || digest === undefined) throw error
  }
  entry.resume()
  return { digest, sizeBytes: entry.size }
}

function listLayout(index: Buffer): ImportedImage[] {
  const { manifests } = parseObject(index, 'index.json') as { readonly manifests?: unknown }
  if (!Array.isArray(manifests)) {
    throw new PlatformError('invalidArgument', {
      action: 'read index.json',
      found: 'no list at /manifests',
      wanted: 'descriptors',
    })
  }
  return manifests.map((raw: unknown, position) => {
    const target = parseDescriptor(raw, `index.json at /manifests/${String(position)}`)
    return { name: target.annotations[CONTAINERD_NAME] ?? target.annotations[OCI_NAME], target }
  })
}

interface DockerImage {
  readonly Config: string
  readonly RepoTags: readonly string[] | null
  readonly Layers: readonly string[]
}

/** Writes an OCI manifest for each image of a docker archive. */
async function convertDockerArchive(
  manifest: Buffer,
  archive: ArchiveContents,
  { content, scope, signal }: ImportOptions,
): Promise<ImportedImage[]> {
  const images: ImportedImage[] = []
  for (const { Config, RepoTags, Layers } of parseDockerManifest(manifest)) {
    const config = { mediaType: OCI_CONFIG, ...findBlob(archive, Config) }
    const layers = Layers.map((path) => ({
      mediaType: OCI_PLAIN_LAYER,
      ...findBlob(archive, path),
    }))
    const describe = ({ mediaType, digest, sizeBytes }: (typeof layers)[number]) => ({
      mediaType,
      digest,
      size: sizeBytes,
    })
    const document = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: describe(config),
      layers: layers.map(describe),
    }
    const bytes = Buffer.from(JSON.stringify(document))
    const digest = digestFrom('sha256', createHash('sha256').update(bytes).digest('hex'))
    await storeBytes(content, scope, bytes, { ref: `import-${digest}`, digest, labels: {} }, signal)
    const target: ContentDescriptor = {
      mediaType: OCI_MANIFEST,
      digest,
      sizeBytes: bytes.byteLength,
      platform: undefined,
      annotations: {},
    }
    const names = RepoTags ?? []
    if (names.length === 0) images.push({ name: undefined, target })
    for (const name of names) images.push({ name: formatReference(parseReference(name)), target })
  }
  return images
}

function parseDockerManifest(bytes: Buffer): readonly DockerImage[] {
  const images = parseObject(
    Buffer.concat([Buffer.from('{"images":'), bytes, Buffer.from('}')]),
    'manifest.json',
  )['images']
  const isText = (value: unknown): value is string => typeof value === 'string'
  if (
    Array.isArray(images) &&
    images.every((image: unknown): image is DockerImage => {
      const { Config, RepoTags, Layers } = (image ?? {}) as Partial<
        Record<keyof DockerImage, unknown>
      >
      const areTags =
        RepoTags === null ||
        RepoTags === undefined ||
        (Array.isArray(RepoTags) && RepoTags.every(isText))
      return isText(Config) && areTags && Array.isArray(Layers) && Layers.every(isText)
    })
  ) {
    return images
  }
  throw new PlatformError('invalidArgument', {
    action: 'read manifest.json',
    found: 'something else',
    wanted: 'a list of images with Config, RepoTags and Layers',
  })
}

/** Old archives have one layer under several names, as links. */
function findBlob(
  { blobs, links }: ArchiveContents,
  path: string,
): { digest: Digest; sizeBytes: number } {
  let at = path
  for (let followed = 0; followed < MAX_LINKS; followed++) {
    const blob = blobs.get(at)
    if (blob !== undefined) return blob
    const target = links.get(at)
    if (target === undefined) break
    at = resolveInside(at, target)
  }
  throw new PlatformError('invalidArgument', {
    action: 'import archive',
    found: `no file ${JSON.stringify(path)}`,
    wanted: 'what manifest.json lists',
  })
}

function resolveInside(from: string, target: string): string {
  const parts = [...from.split('/').slice(0, -1), ...target.split('/')]
  const path: string[] = []
  for (const part of parts) {
    if (part === '..') path.pop()
    else if (part !== '' && part !== '.') path.push(part)
  }
  return path.join('/')
}

function tooLarge(found: string): PlatformError {
  return new PlatformError('resourceExhausted', {
    action: 'import archive',
    found,
    wanted: 'an archive of container images',
  })
}
