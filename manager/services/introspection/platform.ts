import type { Platform } from '../../../proto/generated/containerd/types/platform.ts'

/** Node's names to those of the image specification. */
const ARCHITECTURES: Readonly<Record<string, { architecture: string; variant: string }>> = {
  x64: { architecture: 'amd64', variant: '' },
  arm64: { architecture: 'arm64', variant: 'v8' },
}

/** What this machine runs. @see image-spec v1.1 image-index.md#platform-variants */
export function platformOfHost(): Platform {
  const known = ARCHITECTURES[process.arch] ?? { architecture: process.arch, variant: '' }
  return { os: 'linux', osVersion: '', osFeatures: [], ...known }
}
