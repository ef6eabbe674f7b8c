/**
 * A directory tree as comparable lines: everything about a file that an unpacked image promises. Two trees
 * are equal when their lines are; the first lines that differ say how.
 */
import { createHash } from 'node:crypto'
import { type BigIntStats, createReadStream, lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'

import { runOk } from './process.ts'

/**
 * One line per file, sorted by path: path (latin1 of its bytes), type, mode, owner, size, modification
 * time in ns, device number, symlink target, digest of the content, hardlink group, extended attributes.
 *
 * @param unpackedAfterMs a directory changed after this time got its time by the unpacking (a layer that
 *   holds a file but not the directory above it does not say its time); those times compare as equal
 */
export async function treeLines(
  root: string,
  unpackedAfterMs = Infinity,
): Promise<readonly string[]> {
  const attributes = await extendedAttributes(root)
  const firstOfInode = new Map<string, string>()
  const lines: string[] = []
  for (const path of walk(root, '')) {
    const absolute = Buffer.from(`${root}/${path}`, 'latin1')
    const info = lstatSync(absolute, { bigint: true })
    const kind = kindOf(info)
    const isUnpackTime = kind === 'directory' && info.mtimeMs > unpackedAfterMs
    const facts = [
      kind,
      (info.mode & 0o7777n).toString(8).padStart(4, '0'),
      `${String(info.uid)}:${String(info.gid)}`,
      `mtime=${isUnpackTime ? 'unpacked' : String(info.mtimeNs)}`,
    ]
    if (kind === 'file') facts.push(`size=${String(info.size)}`, `sha256=${await digest(absolute)}`)
    if (kind === 'symlink') facts.push(`target=${readlinkSync(absolute, 'latin1')}`)
    if (kind === 'char' || kind === 'block') facts.push(`rdev=${String(info.rdev)}`)
    if (kind !== 'directory' && info.nlink > 1n) {
      const inode = `${String(info.dev)}:${String(info.ino)}`
      const first = firstOfInode.get(inode) ?? path
      firstOfInode.set(inode, first)
      facts.push(`links=${String(info.nlink)}`, `group=${first}`)
    }
    facts.push(...(attributes.get(path) ?? []))
    lines.push(`/${path} ${facts.join(' ')}`)
  }
  return lines
}

export function treeDigest(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

/** The lines that only one side has, marked with - (expected) and +; at most `limit` of them. */
export function treeDifference(
  expected: readonly string[],
  found: readonly string[],
  limit = 40,
): readonly string[] {
  const there = new Set(found)
  const wanted = new Set(expected)
  return [
    ...expected.filter((line) => !there.has(line)).map((line) => `- ${line}`),
    ...found.filter((line) => !wanted.has(line)).map((line) => `+ ${line}`),
  ]
    .sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1))
    .slice(0, limit)
}

/**
 * Leaves out, on both sides, the times that unpacking gave to directories on the expected side: the image does
 * not promise them, and another unpacker may keep the time of the directory below instead.
 */
export function withoutUnpackTimes(
  expected: readonly string[],
  found: readonly string[],
): readonly [readonly string[], readonly string[]] {
  const identity = (line: string): string => line.replace(/ directory .*$/, '')
  const unpromised = new Set(
    expected.filter((line) => line.includes(' mtime=unpacked')).map(identity),
  )
  const strip = (line: string): string =>
    unpromised.has(identity(line)) ? line.replace(/ mtime=\S+/, '') : line
  return [expected.map(strip), found.map(strip)]
}

/** Paths below the root in byte order, each as latin1 so that any bytes survive; '' is the root itself. */
function* walk(root: string, path: string): Generator<string> {
  yield path
  const names = readdirSync(Buffer.from(`${root}/${path}`, 'latin1'), {
    encoding: 'latin1',
    withFileTypes: true,
  })
  names.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of names) {
    const child = path === '' ? entry.name : `${path}/${entry.name}`
    if (entry.isDirectory()) yield* walk(root, child)
    else yield child
  }
}

function kindOf(info: BigIntStats): string {
  if (info.isFile()) return 'file'
  if (info.isDirectory()) return 'directory'
  if (info.isSymbolicLink()) return 'symlink'
  if (info.isCharacterDevice()) return 'char'
  if (info.isBlockDevice()) return 'block'
  if (info.isFIFO()) return 'fifo'
  return 'socket'
}

async function digest(path: Buffer): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** Every extended attribute of every namespace, byte-exact as hexadecimal, by path below the root. */
async function extendedAttributes(root: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const { stdout } = await runOk(
    'getfattr',
    [
      '--recursive',
      '--physical',
      '--no-dereference',
      '--dump',
      '--match=-',
      '--encoding=hex',
      '--absolute-names',
      root,
    ],
    { env: { ...process.env, LC_ALL: 'C' }, encoding: 'latin1', timeoutMs: 120_000 },
  )
  const found = new Map<string, readonly string[]>()
  for (const block of stdout.split('\n\n')) {
    const [heading, ...values] = block.split('\n').filter((line) => line !== '')
    if (heading === undefined) continue
    const escaped = heading.replace(/^# file: /, '').slice(root.length + 1)
    const path = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(parseInt(octal, 8)),
    )
    found.set(path, values.map((value) => `xattr:${value}`).sort())
  }
  return found
}
