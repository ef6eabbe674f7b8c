import { PlatformError } from '../../proto/errors/platform-error.ts'
import { parseDigest, type Digest } from '../content/digest.ts'

/** Points to content. @see image-spec v1.1 descriptor.md */
export interface ContentDescriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly sizeBytes: number
  readonly platform: ImagePlatform | undefined
  readonly annotations: Readonly<Record<string, string>>
}

export interface ImagePlatform {
  readonly os: string
  readonly architecture: string
  readonly variant: string
}

export interface ImageManifest {
  readonly kind: 'manifest'
  readonly config: ContentDescriptor
  readonly layers: readonly ContentDescriptor[]
}

export interface ImageIndex {
  readonly kind: 'index'
  readonly manifests: readonly ContentDescriptor[]
}

export interface ImageConfig {
  readonly platform: ImagePlatform
  /** Of the inflated layers, lowest first. */
  readonly diffIds: readonly Digest[]
}

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json'
export const OCI_GZIP_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'
export const OCI_PLAIN_LAYER = 'application/vnd.oci.image.layer.v1.tar'
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
export const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json'

/** What a registry may answer when asked for a manifest. */
export const MANIFEST_MEDIA_TYPES = [
  OCI_MANIFEST,
  OCI_INDEX,
  DOCKER_MANIFEST,
  DOCKER_INDEX,
] as const

/** The kernel takes about as many lower directories (security.md S-91). */
const MAX_LAYERS = 500
const MAX_CHILDREN = 1000

type Json = Readonly<Record<string, unknown>>

/**
 * Reads a manifest or an index. A document that could be read as both is refused (security.md S-41).
 *
 * @throws invalidArgument, unimplemented (another kind of document)
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType: string,
  subject: string,
): ImageManifest | ImageIndex {
  const document = parseObject(bytes, subject)
  const declared = document['mediaType']
  if (declared !== undefined && declared !== mediaType) {
    throw malformed(
      subject,
      `mediaType ${JSON.stringify(declared)}`,
      `${mediaType}, as it was announced`,
    )
  }
  if ('layers' in document && 'manifests' in document) {
    throw malformed(subject, 'both layers and manifests', 'a manifest or an index')
  }
  switch (mediaType) {
    case OCI_MANIFEST:
    case DOCKER_MANIFEST:
      return {
        kind: 'manifest',
        config: parseDescriptor(document['config'], `${subject} at /config`),
        layers: parseList(document['layers'], `${subject} at /layers`, MAX_LAYERS),
      }
    case OCI_INDEX:
    case DOCKER_INDEX:
      return {
        kind: 'index',
        manifests: parseList(document['manifests'], `${subject} at /manifests`, MAX_CHILDREN),
      }
    default:
      throw new PlatformError('unimplemented', {
        action: 'read manifest',
        subject,
        found: `the media type ${JSON.stringify(mediaType)}`,
        wanted: `one of ${MANIFEST_MEDIA_TYPES.join(', ')}`,
      })
  }
}

/** @throws invalidArgument */
export function parseImageConfig(bytes: Uint8Array, subject: string): ImageConfig {
  const document = parseObject(bytes, subject)
  const rootfs = document['rootfs']
  const diffIds = isObject(rootfs) ? rootfs['diff_ids'] : undefined
  if (!Array.isArray(diffIds))
    throw malformed(subject, 'no list at /rootfs/diff_ids', 'one digest per layer')
  return {
    platform: parsePlatform(document) ?? { os: 'linux', architecture: '', variant: '' },
    diffIds: diffIds.map((raw: unknown) => parseDigest(typeof raw === 'string' ? raw : '')),
  }
}

export function parseObject(bytes: Uint8Array, subject: string): Json {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : 'unreadable text'
    throw new PlatformError(
      'invalidArgument',
      { action: 'read', subject, found, wanted: 'JSON in UTF-8' },
      { cause },
    )
  }
  if (!isObject(parsed)) throw malformed(subject, 'no object', 'a JSON object')
  return parsed
}

export function parseDescriptor(raw: unknown, subject: string): ContentDescriptor {
  if (!isObject(raw)) throw malformed(subject, 'no descriptor', 'mediaType, digest and size')
  const { mediaType, digest, size, annotations } = raw as {
    readonly mediaType?: unknown
    readonly digest?: unknown
    readonly size?: unknown
    readonly annotations?: unknown
  }
  if (typeof mediaType !== 'string') throw malformed(subject, 'no media type', 'a text')
  // A size that lies is found out when the content is read; this is for those that could not be counted.
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw malformed(
      subject,
      `a size that is ${typeof size === 'number' ? String(size) : 'no number'}`,
      'a whole number from 0',
    )
  }
  return {
    mediaType,
    digest: parseDigest(typeof digest === 'string' ? digest : ''),
    sizeBytes: size,
    platform: parsePlatform(raw['platform']),
    annotations: parseAnnotations(annotations),
  }
}

function parseList(raw: unknown, subject: string, limit: number): ContentDescriptor[] {
  if (!Array.isArray(raw)) throw malformed(subject, 'no list', 'descriptors')
  if (raw.length > limit) {
    throw malformed(subject, `${String(raw.length)} descriptors`, `at most ${String(limit)}`)
  }
  return raw.map((item: unknown, index) => parseDescriptor(item, `${subject}/${String(index)}`))
}

function parsePlatform(raw: unknown): ImagePlatform | undefined {
  if (!isObject(raw)) return undefined
  const text = (name: string): string => {
    const value = raw[name]
    return typeof value === 'string' ? value : ''
  }
  return { os: text('os'), architecture: text('architecture'), variant: text('variant') }
}

function parseAnnotations(raw: unknown): Readonly<Record<string, string>> {
  if (!isObject(raw)) return {}
  return Object.fromEntries(
    Object.entries(raw).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed(subject: string, found: string, wanted: string): PlatformError {
  return new PlatformError('invalidArgument', { action: 'read', subject, found, wanted })
}
