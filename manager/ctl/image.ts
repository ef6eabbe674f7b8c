/** From an image's name to what a container is made of. */
import { createHash } from 'node:crypto'
import type { Image } from '../../proto/generated/containerd/services/images/v1/images.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import {
  parseImageConfig,
  parseManifest,
  parseObject,
  type ContentDescriptor,
} from '../registry/documents.ts'
import { choosePlatform, hostPlatform } from '../registry/platform.ts'
import { formatReference, parseReference } from '../registry/reference.ts'
import type { Clients } from './clients.ts'
import type { ImageConfig } from './oci-spec.ts'

export interface RunnableImage {
  readonly image: Image
  readonly config: ImageConfig
  readonly configDigest: string
  readonly layers: readonly ContentDescriptor[]
  /** Of the inflated layers, lowest first. */
  readonly diffIds: readonly string[]
}

/** Documents are small; a blob that claims to be one and is not must not fill our memory. */
const MAX_DOCUMENT_BYTES = 8n * 1024n * 1024n

/** What the user calls an image → the image, by that very name or by its full form. */
export async function findImage({ images }: Clients, text: string): Promise<Image> {
  const names = [...new Set([text, fullName(text)])]
  for (const name of names) {
    const image = await images.get({ name }).then(
      (answer) => answer.image,
      (error: unknown) => {
        if (error instanceof PlatformError && error.code === 'notFound') return undefined
        throw error
      },
    )
    if (image !== undefined) return image
  }
  throw new PlatformError('notFound', {
    action: 'find image',
    subject: text,
    found: 'no such image here',
    hint: `berthctl pull ${text} fetches it`,
  })
}

/** The full form of a reference; what is none stays as it is, images may have any name. */
export function fullName(text: string): string {
  try {
    return formatReference(parseReference(text))
  } catch {
    return text
  }
}

/** Reads manifest and configuration for this machine's platform. */
export async function readImage(clients: Clients, image: Image): Promise<RunnableImage> {
  const { target, name } = image
  if (target === undefined) {
    throw new PlatformError('invalidArgument', {
      action: 'read image',
      subject: name,
      found: 'no target',
    })
  }
  let { mediaType, digest } = target
  let manifest = parseManifest(await readBlob(clients, digest), mediaType, digest)
  if (manifest.kind === 'index') {
    ;({ mediaType, digest } = choosePlatform(manifest, hostPlatform(), name))
    manifest = parseManifest(await readBlob(clients, digest), mediaType, digest)
  }
  if (manifest.kind === 'index') {
    throw new PlatformError('unimplemented', {
      action: 'read image',
      subject: name,
      found: 'an index within an index',
    })
  }
  const { config, layers } = manifest
  const bytes = await readBlob(clients, config.digest)
  const { diffIds } = parseImageConfig(bytes, config.digest)
  return {
    image,
    config: parseRunConfig(bytes, config.digest),
    configDigest: config.digest,
    layers,
    diffIds,
  }
}

/** Names the snapshot that holds a stack of layers. @see image-spec config.md#layer-chainid */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = []
  for (const diffId of diffIds) {
    const parent = chain.at(-1)
    const sum = createHash('sha256').update(`${String(parent)} ${diffId}`)
    chain.push(parent === undefined ? diffId : `sha256:${sum.digest('hex')}`)
  }
  return chain
}

/** @see image-spec config.md#properties */
export function parseRunConfig(bytes: Uint8Array, subject: string): ImageConfig {
  const raw = parseObject(bytes, subject)['config']
  const config: Readonly<Record<string, unknown>> =
    typeof raw === 'object' && raw !== null ? { ...raw } : {}
  return {
    entrypoint: textList(config['Entrypoint'], `${subject} at /config/Entrypoint`),
    command: textList(config['Cmd'], `${subject} at /config/Cmd`),
    env: textList(config['Env'], `${subject} at /config/Env`),
    workingDirectory: textOrEmpty(config['WorkingDir']),
    user: textOrEmpty(config['User']),
    stopSignal: textOrEmpty(config['StopSignal']),
  }
}

export async function readBlob({ content }: Clients, digest: string): Promise<Buffer> {
  const { info } = await content.info({ digest })
  const sizeBytes = info?.size ?? 0n
  if (sizeBytes > MAX_DOCUMENT_BYTES) {
    throw new PlatformError('invalidArgument', {
      action: 'read',
      subject: digest,
      found: `${String(sizeBytes)} bytes`,
      wanted: `a document of at most ${String(MAX_DOCUMENT_BYTES)}`,
    })
  }
  const chunks: Buffer[] = []
  for await (const { data } of content.read({ digest })) chunks.push(data)
  return Buffer.concat(chunks)
}

function textList(value: unknown, subject: string): readonly string[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw new PlatformError('invalidArgument', {
    action: 'read image config',
    subject,
    found: JSON.stringify(value).slice(0, 100),
    wanted: 'a list of strings',
  })
}

function textOrEmpty(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
