import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { programDirectory } from '../../program-directory.ts'

const PROGRAM = join(programDirectory(), 'berth-unpack')

/** Why the tests of berth-unpack cannot run here; undefined: they can. */
export function missingForUnpack(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: owners and devices'
  return existsSync(PROGRAM) ? undefined : 'needs dist/berth-unpack: npm run build'
}

export interface UnpackReport {
  readonly outcome: 'applied' | 'failed'
  readonly kind?: string
  readonly step?: string
  readonly errno?: string
  readonly entry?: string
  readonly found?: string
  readonly wanted?: string
  readonly diffId?: string
  readonly entries?: number
  readonly skippedXattrs?: number
  readonly impliedDirectories?: number
}

/** A directory to unpack into, and beside it something that must never change. */
export class UnpackFixture implements Disposable {
  readonly base = mkdtempSync(join(tmpdir(), 'berth-unpack-'))
  readonly root = join(this.base, 'root')
  readonly canary = join(this.base, 'canary')

  constructor() {
    mkdirSync(this.root)
    mkdirSync(join(this.canary, 'directory'), { recursive: true })
    writeFileSync(join(this.canary, 'secret'), 'untouched')
    writeFileSync(join(this.canary, 'directory', 'file'), 'untouched')
  }

  apply(blob: Buffer, options: readonly string[] = []): UnpackReport {
    const blobPath = join(this.base, 'blob')
    writeFileSync(blobPath, blob)
    const fds = [openSync(blobPath, 'r'), openSync(this.root, 'r')]
    try {
      const { stdout } = spawnSync(
        PROGRAM,
        ['apply', 'report-fd=1', 'blob-fd=3', 'root-fd=4', ...options],
        { stdio: ['ignore', 'pipe', 'inherit', ...fds] },
      )
      return JSON.parse(stdout.toString()) as UnpackReport
    } finally {
      for (const fd of fds) closeSync(fd)
    }
  }

  /** Everything outside the target, as text. */
  outside(): string {
    return describeTree(this.base, [this.root, join(this.base, 'blob')])
  }

  [Symbol.dispose](): void {
    rmSync(this.base, { recursive: true, force: true })
  }
}

function describeTree(path: string, except: readonly string[]): string {
  if (except.includes(path)) return ''
  const info = lstatSync(path)
  const self = `${path} ${info.mode.toString(8)} ${String(info.uid)}:${String(info.gid)} ${String(info.nlink)}`
  if (!info.isDirectory()) {
    const contents = info.isFile() ? readFileSync(path, 'utf8') : ''
    return `${self} ${String(info.mtimeMs)} ${contents}\n`
  }
  const children = readdirSync(path).map((name) => describeTree(join(path, name), except))
  return [`${self}\n`, ...children].join('')
}
