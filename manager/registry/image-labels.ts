import type { Digest } from '../content/digest.ts'
import type { ImageIndex, ImageManifest } from './documents.ts'

/** Digest of the inflated layer, on the layer. */
export const UNCOMPRESSED_LABEL = 'containerd.io/uncompressed'

/** On an image's config: the snapshot it is unpacked to. */
export function snapshotLabel(snapshotter: string): string {
  return `containerd.io/gc.ref.snapshot.${snapshotter}`
}

/** On every content of an image: where it came from. */
export function sourceLabel(
  registry: string,
  repository: string,
): Readonly<Record<string, string>> {
  return { [`containerd.io/distribution.source.${registry}`]: repository }
}

/** On a manifest or an index: what the collector must keep with it. @see containerd-behaviour.md §c */
export function childLabels(
  document: ImageManifest | ImageIndex,
): Readonly<Record<string, string>> {
  const children: [string, Digest][] =
    document.kind === 'index'
      ? document.manifests.map(({ digest }, index) => [`m.${String(index)}`, digest])
      : [
          ['config', document.config.digest],
          ...document.layers.map(({ digest }, index): [string, Digest] => [
            `l.${String(index)}`,
            digest,
          ]),
        ]
  return Object.fromEntries(
    children.map(([name, digest]) => [`containerd.io/gc.ref.content.${name}`, digest]),
  )
}
