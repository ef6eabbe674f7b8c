import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { isatty } from 'node:tty'
import type { Progress } from '../../../proto/generated/containerd/types/transfer/progress.ts'
import { wrapSystemError } from '../../../proto/errors/platform-error.ts'
import { findImage, fullName, readImage } from '../image.ts'
import { formatAge, formatSize, formatTable } from '../table.ts'
import { importImages, pullImage, type OnProgress } from '../transfer.ts'
import type { CommandContext } from './context.ts'

export async function pull(
  context: CommandContext,
  reference: string,
  options: { readonly plainHttp: boolean },
): Promise<void> {
  const name = fullName(reference)
  const status = statusLine(context)
  try {
    await pullImage(context.clients, name, { ...options, onProgress: status.show })
  } finally {
    status.clear()
  }
  const image = await findImage(context.clients, name)
  context.out(`${image.name}  ${image.target?.digest ?? ''}\n`)
}

/** @param path of an archive, `-` for standard input */
export async function importArchive(context: CommandContext, path: string): Promise<void> {
  const archive = path === '-' ? process.stdin : await openArchive(path)
  const before = await imageNames(context)
  const status = statusLine(context)
  try {
    await importImages(context.clients, archive, status.show)
  } catch (error) {
    throw wrapSystemError(error, { action: 'import', path })
  } finally {
    status.clear()
    archive.destroy()
  }
  const added = (await imageNames(context)).filter((name) => !before.includes(name))
  for (const name of added) context.out(`${name}\n`)
}

/** Opened before anything is asked of the manager: what is not there fails here, not in the middle of a stream. */
async function openArchive(path: string): Promise<Readable> {
  try {
    return (await open(path, 'r')).createReadStream()
  } catch (error) {
    throw wrapSystemError(error, { action: 'import', path })
  }
}

async function imageNames({ clients }: CommandContext): Promise<readonly string[]> {
  const { images } = await clients.images.list({})
  return images.map(({ name }) => name)
}

export async function listImages(context: CommandContext): Promise<void> {
  const { clients, out } = context
  const { images } = await clients.images.list({})
  const rows = await Promise.all(
    images.map(async (image) => {
      // Content of another platform, or partly gone: the image is listed all the same.
      const size = await readImage(clients, image).then(
        ({ layers }) =>
          formatSize(layers.reduce((sum, layer) => sum + BigInt(layer.sizeBytes), 0n)),
        () => '-',
      )
      const digest = image.target?.digest.replace(/^(sha256:.{12}).*$/, '$1') ?? ''
      return [image.name, digest, size, formatAge(image.createdAt, Date.now())]
    }),
  )
  rows.sort(([a = ''], [b = '']) => a.localeCompare(b))
  out(formatTable([['IMAGE', 'DIGEST', 'SIZE', 'CREATED'], ...rows]))
}

export async function removeImages(
  { clients, out }: CommandContext,
  names: readonly string[],
): Promise<void> {
  for (const text of names) {
    const { name } = await findImage(clients, text)
    await clients.images.delete({ name, sync: true })
    out(`${name}\n`)
  }
}

/** One line on a terminal that says how far a transfer is; nothing elsewhere. */
function statusLine({ err }: CommandContext): { show: OnProgress; clear: () => void } {
  if (!isatty(2)) return { show: () => undefined, clear: () => undefined }
  const parts = new Map<string, Progress>()
  return {
    show: (progress) => {
      parts.set(progress.name, progress)
      const sum = (pick: (part: Progress) => bigint): string =>
        formatSize([...parts.values()].reduce((total, part) => total + pick(part), 0n))
      const moved = `${sum((part) => part.progress)} of ${sum((part) => part.total)}`
      err(`\r\u001b[K${progress.event}  ${moved}`)
    },
    clear: () => {
      err('\r\u001b[K')
    },
  }
}
