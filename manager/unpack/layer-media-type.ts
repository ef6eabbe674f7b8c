import { PlatformError } from '../../proto/errors/platform-error.ts'

/** `auto`: by the first bytes, as some builders name the wrong compression. */
export type LayerCompression = 'auto' | 'none'

const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar'
const OCI_FOREIGN_LAYER = 'application/vnd.oci.image.layer.nondistributable.v1.tar'
const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar'
const DOCKER_FOREIGN_LAYER = 'application/vnd.docker.image.rootfs.foreign.diff.tar'

const COMPRESSION: Readonly<Record<string, LayerCompression>> = {
  [OCI_LAYER]: 'none',
  [`${OCI_LAYER}+gzip`]: 'auto',
  [`${OCI_LAYER}+zstd`]: 'auto',
  [OCI_FOREIGN_LAYER]: 'none',
  [`${OCI_FOREIGN_LAYER}+gzip`]: 'auto',
  [`${OCI_FOREIGN_LAYER}+zstd`]: 'auto',
  [DOCKER_LAYER]: 'auto',
  [`${DOCKER_LAYER}.gzip`]: 'auto',
  [`${DOCKER_LAYER}.zstd`]: 'auto',
  [DOCKER_FOREIGN_LAYER]: 'auto',
  [`${DOCKER_FOREIGN_LAYER}.gzip`]: 'auto',
}

/** The media type of a layer once it is inflated. */
export const UNCOMPRESSED_LAYER = OCI_LAYER

/**
 * How a layer of this media type is read.
 *
 * @throws unimplemented for anything that is no tar: file system images are never mounted (security.md S-94)
 */
export function layerCompression(mediaType: string): LayerCompression {
  const compression = Object.hasOwn(COMPRESSION, mediaType) ? COMPRESSION[mediaType] : undefined
  if (compression === undefined) {
    throw new PlatformError('unimplemented', {
      action: 'apply layer',
      found: `the media type ${JSON.stringify(mediaType)}`,
      wanted: `a tar layer like ${OCI_LAYER}+gzip`,
    })
  }
  return compression
}
