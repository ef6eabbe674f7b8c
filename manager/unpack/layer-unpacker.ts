import { randomBytes } from 'node:crypto'
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { Digest } from '../content/digest.ts'
import type { LayerCompression } from './layer-media-type.ts'
import { Slots } from './slots.ts'
import { openDirectory, runUnpack } from './unpack-process.ts'
import { appliedLayer, failureOf, type AppliedLayer } from './unpack-report.ts'

/** What one layer may make of itself; a cap that is reached fails the layer (security.md S-88). */
export interface LayerLimits {
  readonly maxEntries: number
  readonly maxBytes: number
  /** Of inflated to compressed bytes, after the first 256 MiB. */
  readonly maxRatio: number
  readonly maxDepth: number
  /** Left free on the file system of the snapshots. */
  readonly minFreeBytes: number
}

export const DEFAULT_LAYER_LIMITS: LayerLimits = {
  maxEntries: 4_000_000,
  maxBytes: 256 * 1024 ** 3,
  // gzip cannot do more than 1032; zstd can, on files of zeros.
  maxRatio: 5_000,
  maxDepth: 1024,
  minFreeBytes: 64 * 1024 ** 2,
}

export interface LayerSource {
  /** For messages. */
  readonly digest: Digest
  readonly sizeBytes: bigint
  readonly path: string
  readonly compression: LayerCompression
}

export interface LayerTarget {
  readonly directory: string
  readonly whiteouts: 'overlay' | 'remove'
  /** Flush the file system before the layer counts as applied. */
  readonly sync: boolean
}

/**
 * Applies layers, each in a confined process of its own, as many at a time as there are processors.
 */
export class LayerUnpacker {
  readonly #slots: Slots
  readonly #limits: LayerLimits
  readonly #scratchDir: string

  /** @param scratchDir for files that have no name by the time anybody looks */
  constructor(scratchDir: string, limits: LayerLimits = DEFAULT_LAYER_LIMITS) {
    this.#slots = new Slots(availableParallelism())
    this.#limits = limits
    this.#scratchDir = scratchDir
  }

  /**
   * Extracts a layer into a directory.
   *
   * Directories that the layer only implies look as in the nearest layer below, if `parents` (nearest
   * first) are extracted by the time it resolves.
   *
   * @throws dataLoss when the blob is not the one the digest names
   * @throws invalidArgument when the archive is broken or hostile
   * @throws resourceExhausted when a limit is reached or the disk is full
   */
  async apply(
    source: LayerSource,
    target: LayerTarget,
    parents: () => Promise<readonly string[]>,
    signal: AbortSignal,
  ): Promise<AppliedLayer> {
    await using files = new OpenFiles()
    const root = files.add(await openDirectory(target.directory))
    const implied = files.add(await this.#scratchFile())
    const applied = await this.#slots.run(async () => {
      const blob = files.add(await openBlob(source))
      const report = await runUnpack(
        'apply',
        [
          { name: 'root-fd', fds: [root.fd] },
          { name: 'blob-fd', fds: [blob.fd] },
          { name: 'implied-fd', fds: [implied.fd] },
        ],
        [...this.#limitWords(), ...sourceWords(source), ...targetWords(target)],
        signal,
      )
      if (report.outcome === 'failed') throw failureOf(report, source.digest)
      if (report.outcome !== 'applied') throw unexpected(report.outcome)
      return appliedLayer(report)
    }, signal)
    if (applied.impliedDirectories > 0)
      await this.#inherit(root, implied, source, await parents(), signal)
    return applied
  }

  async #inherit(
    root: FileHandle,
    implied: FileHandle,
    source: LayerSource,
    parents: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    if (parents.length === 0) return
    await using files = new OpenFiles()
    const parentFds: number[] = []
    for (const parent of parents) parentFds.push(files.add(await openDirectory(parent)).fd)
    const report = await runUnpack(
      'inherit',
      [
        { name: 'root-fd', fds: [root.fd] },
        { name: 'implied-fd', fds: [implied.fd] },
        { name: 'parent-fds', fds: parentFds },
      ],
      [],
      signal,
    )
    if (report.outcome === 'failed') throw failureOf(report, source.digest)
  }

  async #scratchFile(): Promise<FileHandle> {
    const path = join(this.#scratchDir, `unpack-${randomBytes(8).toString('hex')}`)
    try {
      await mkdir(this.#scratchDir, { recursive: true, mode: 0o700 })
      const file = await open(path, 'wx+', 0o600)
      await unlink(path)
      return file
    } catch (error) {
      throw wrapSystemError(error, { action: 'make scratch file', path })
    }
  }

  #limitWords(): string[] {
    const { maxEntries, maxBytes, maxRatio, maxDepth, minFreeBytes } = this.#limits
    return [
      `max-entries=${String(maxEntries)}`,
      `max-bytes=${String(maxBytes)}`,
      `max-ratio=${String(maxRatio)}`,
      `max-depth=${String(maxDepth)}`,
      `min-free-bytes=${String(minFreeBytes)}`,
    ]
  }
}

/** Closes what it was given, last first. */
class OpenFiles implements AsyncDisposable {
  readonly #files: FileHandle[] = []

  add(file: FileHandle): FileHandle {
    this.#files.push(file)
    return file
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files.reverse()) await file.close()
  }
}

async function openBlob({ path, digest }: LayerSource): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (error) {
    throw wrapSystemError(error, { action: 'open layer', subject: digest, path })
  }
}

/** berth-unpack knows SHA-256; other algorithms are verified when the blob is written to the content store. */
function sourceWords({ digest, sizeBytes, compression }: LayerSource): string[] {
  const words = [`size=${sizeBytes.toString()}`, `compression=${compression}`]
  return digest.startsWith('sha256:') ? [...words, `digest=${digest}`] : words
}

function targetWords({ whiteouts, sync }: LayerTarget): string[] {
  return [`whiteouts=${whiteouts}`, `sync=${sync ? '1' : '0'}`]
}

function unexpected(outcome: string): PlatformError {
  return new PlatformError('internal', {
    action: 'apply layer',
    found: `the report ${outcome} of berth-unpack`,
    wanted: 'applied or failed',
  })
}
