import { PlatformError } from '../../proto/errors/platform-error.ts'
import { parseDigest, type Digest } from '../content/digest.ts'

/** A checked image reference. */
export interface ImageReference {
  /** `docker.io`, `localhost:5000`: as the user names it. */
  readonly registry: string
  /** `library/debian` */
  readonly repository: string
  readonly tag: string | undefined
  readonly digest: Digest | undefined
}

const DEFAULT_REGISTRY = 'docker.io'
const DEFAULT_TAG = 'latest'
const MAX_REPOSITORY_CHARS = 255

const HOST =
  /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)(?::[0-9]{1,5})?$/
/** @see distribution-spec v1.1 "Pulling manifests": name and reference */
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/**
 * Parses `registry/repository:tag@digest` with Docker's defaults: without a registry it is docker.io, without a
 * directory there it is `library/`, without tag and digest it is `:latest`.
 *
 * @throws invalidArgument
 */
export function parseReference(raw: string): ImageReference {
  const [named, ...digests] = raw.split('@')
  if (named === undefined || named === '' || digests.length > 1) throw malformed(raw, 'a name')
  const digest = digests[0] === undefined ? undefined : parseDigest(digests[0])
  const slash = named.indexOf('/')
  const first = slash === -1 ? '' : named.slice(0, slash)
  const hasRegistry = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase()
  const registry = hasRegistry ? first : DEFAULT_REGISTRY
  const { path, tag } = splitTag(hasRegistry ? named.slice(slash + 1) : named)
  const isOfficial = registry === DEFAULT_REGISTRY && !path.includes('/')
  const repository = isOfficial ? `library/${path}` : path
  if (!HOST.test(registry)) throw malformed(raw, 'a registry like registry.example:5000')
  if (repository.length > MAX_REPOSITORY_CHARS || !repository.split('/').every(isPathComponent)) {
    throw malformed(raw, 'a repository of lower-case letters, digits and separators')
  }
  if (tag !== undefined && !TAG.test(tag)) {
    throw malformed(raw, 'a tag of letters, digits, ".", "_" and "-", at most 128')
  }
  const hasVersion = tag !== undefined || digest !== undefined
  return { registry, repository, tag: hasVersion ? tag : DEFAULT_TAG, digest }
}

/** The full text, with nothing left to defaults: what an image is stored as. */
export function formatReference({ registry, repository, tag, digest }: ImageReference): string {
  const tagText = tag === undefined ? '' : `:${tag}`
  const digestText = digest === undefined ? '' : `@${digest}`
  return `${registry}/${repository}${tagText}${digestText}`
}

function splitTag(text: string): { readonly path: string; readonly tag: string | undefined } {
  const colon = text.lastIndexOf(':')
  if (colon === -1 || text.includes('/', colon)) return { path: text, tag: undefined }
  return { path: text.slice(0, colon), tag: text.slice(colon + 1) }
}

function isPathComponent(component: string): boolean {
  return PATH_COMPONENT.test(component)
}

function malformed(raw: string, wanted: string): PlatformError {
  return new PlatformError('invalidArgument', {
    action: 'parse image reference',
    found: JSON.stringify(raw.slice(0, 300)),
    wanted,
    hint: 'an example is registry.example:5000/team/app:1.0',
  })
}
