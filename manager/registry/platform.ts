import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ContentDescriptor, ImageIndex, ImagePlatform } from './documents.ts'

const ARCHITECTURE: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/** The platform this machine runs images of. */
export function hostPlatform(arch: string = process.arch): ImagePlatform {
  return { os: 'linux', architecture: ARCHITECTURE[arch] ?? arch, variant: '' }
}

/** What a platform without a variant means. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' }

/**
 * The manifest of an index for a platform: the same variant first, then one that names none.
 *
 * @throws notFound with what there is
 */
export function choosePlatform(
  index: ImageIndex,
  wanted: ImagePlatform,
  subject: string,
): ContentDescriptor {
  const variant = variantOf(wanted)
  const fitting = index.manifests.filter(
    ({ platform }) =>
      platform?.os === wanted.os &&
      platform.architecture === wanted.architecture &&
      variantOf(platform) === variant,
  )
  // An index made by hand may say nothing about its only image.
  const [onlyOne, another] = index.manifests
  const unnamed = another === undefined && onlyOne?.platform === undefined ? onlyOne : undefined
  const chosen = fitting[0] ?? unnamed
  if (chosen !== undefined) return chosen
  const offered = index.manifests.map(({ platform }) => formatPlatform(platform))
  throw new PlatformError('notFound', {
    action: 'choose the platform of image',
    subject,
    found: offered.length === 0 ? 'an empty index' : [...new Set(offered)].join(', '),
    wanted: formatPlatform(wanted),
  })
}

export function formatPlatform(platform: ImagePlatform | undefined): string {
  if (platform === undefined) return 'one without a platform'
  const { os, architecture, variant } = platform
  return variant === '' ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}

function variantOf({ architecture, variant }: ImagePlatform): string {
  return variant === '' ? (DEFAULT_VARIANT[architecture] ?? '') : variant
}
