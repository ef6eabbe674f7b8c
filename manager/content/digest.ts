import { PlatformError } from '../../proto/errors/platform-error.ts'

/** A checked digest, `<algorithm>:<lower-case hex>`: safe to use as a path component. */
export type Digest = string & { readonly __brand: 'Digest' }

export type DigestAlgorithm = 'sha256' | 'sha512'

const HEX_DIGITS: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 }

/** @throws invalidArgument @see image-spec v1.1 descriptor.md#digests */
export function parseDigest(raw: string): Digest {
  const parts = /^(sha256|sha512):([0-9a-f]+)$/.exec(raw)
  const algorithm = parts?.[1] as DigestAlgorithm | undefined
  if (algorithm === undefined || parts?.[2]?.length !== HEX_DIGITS[algorithm]) {
    throw new PlatformError('invalidArgument', {
      action: 'check digest',
      found: JSON.stringify(raw.slice(0, 160)),
      wanted: '"sha256:" with 64 or "sha512:" with 128 lower-case hexadecimal digits',
    })
  }
  return raw as Digest
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

export function digestFrom(algorithm: DigestAlgorithm, hex: string): Digest {
  return parseDigest(`${algorithm}:${hex}`)
}
