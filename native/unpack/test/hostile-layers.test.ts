import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildTar, type TarEntry } from './tar-builder.ts'
import { missingForUnpack, UnpackFixture, type UnpackReport } from './unpack-fixture.ts'

type Expected = Partial<Record<keyof UnpackReport, unknown>>

interface HostileCase {
  readonly name: string
  readonly entries: (canary: string) => readonly TarEntry[]
  readonly options?: readonly string[]
  readonly expected: Expected
  /** Paths below the target that must be there afterwards. */
  readonly present?: (canary: string) => readonly string[]
  readonly absent?: readonly string[]
}

const REMOVE = ['whiteouts=remove']
const refused = (entry: string): Expected => ({ outcome: 'failed', kind: 'archive', entry })
const applied: Expected = { outcome: 'applied' }

/** Mechanisms of security.md S-88, S-89, S-90 and of the breakouts behind them. */
const CASES: readonly HostileCase[] = [
  {
    name: 'a name that begins with ..',
    entries: () => [{ name: '../canary/new', data: 'x' }],
    expected: refused('../canary/new'),
  },
  {
    name: 'a name with .. inside',
    entries: () => [{ name: 'a/../../canary/new', data: 'x' }],
    expected: refused('a/../../canary/new'),
  },
  {
    name: 'an absolute name is taken from the root of the layer',
    entries: (canary) => [{ name: join(canary, 'new'), data: 'x' }],
    expected: applied,
    present: (canary) => [join(canary, 'new')],
  },
  {
    name: 'a file through an absolute link',
    entries: (canary) => [
      { name: 'l', type: 'symlink', link: canary },
      { name: 'l/new', data: 'x' },
    ],
    expected: applied,
    present: (canary) => [join(canary, 'new')],
  },
  {
    name: 'a file through a relative link',
    entries: () => [
      { name: 'l', type: 'symlink', link: '../../canary' },
      { name: 'l/new', data: 'x' },
    ],
    expected: applied,
    present: () => ['canary/new'],
  },
  {
    name: 'a file through a chain of links',
    entries: () => [
      { name: 'a', type: 'symlink', link: '..' },
      { name: 'b', type: 'symlink', link: 'a/..' },
      { name: 'c', type: 'symlink', link: 'b/canary' },
      { name: 'c/new', data: 'x' },
    ],
    expected: applied,
    present: () => ['canary/new'],
  },
  {
    name: 'a directory through a link, then a file in it',
    entries: () => [
      { name: 'l', type: 'symlink', link: '../canary/directory' },
      { name: 'l/sub', type: 'directory' },
      { name: 'l/sub/file', data: 'x' },
    ],
    expected: applied,
    present: () => ['canary/directory/sub/file'],
  },
  {
    name: 'links that go round in a circle',
    entries: () => [
      { name: 'a', type: 'symlink', link: 'b' },
      { name: 'b', type: 'symlink', link: 'a' },
      { name: 'a/x', data: 'x' },
    ],
    expected: { outcome: 'failed', errno: 'ELOOP', entry: 'a/x' },
  },
  {
    name: 'a parent that is a file',
    entries: () => [
      { name: 'f', data: 'x' },
      { name: 'f/x', data: 'x' },
    ],
    expected: { outcome: 'failed', errno: 'ENOTDIR', entry: 'f/x' },
  },
  {
    name: 'a parent that is a FIFO',
    entries: () => [
      { name: 'f', type: 'fifo' },
      { name: 'f/x', data: 'x' },
    ],
    expected: { outcome: 'failed', errno: 'ENOTDIR', entry: 'f/x' },
  },
  {
    name: 'a hard link to a file outside, by absolute name',
    entries: (canary) => [{ name: 'h', type: 'hardlink', link: join(canary, 'secret') }],
    expected: { outcome: 'failed', errno: 'ENOENT', entry: 'h' },
  },
  {
    name: 'a hard link to a file outside, by ..',
    entries: () => [{ name: 'h', type: 'hardlink', link: '../canary/secret' }],
    expected: refused('h'),
  },
  {
    name: 'a hard link to a file outside, through a link',
    entries: () => [
      { name: 'l', type: 'symlink', link: '../../canary' },
      { name: 'h', type: 'hardlink', link: 'l/secret' },
    ],
    expected: { outcome: 'failed', errno: 'ENOENT', entry: 'h' },
  },
  {
    name: 'a hard link to a link to outside, then written over',
    entries: () => [
      { name: 'l', type: 'symlink', link: '../canary/secret' },
      { name: 'h', type: 'hardlink', link: 'l' },
      { name: 'h', data: 'overwritten' },
      { name: 'l', data: 'overwritten' },
    ],
    expected: applied,
  },
  {
    name: 'a hard link to a directory',
    entries: () => [
      { name: 'd', type: 'directory' },
      { name: 'h', type: 'hardlink', link: 'd' },
    ],
    expected: { outcome: 'failed', errno: 'EPERM', entry: 'h' },
  },
  {
    name: 'a hard link to itself',
    entries: () => [{ name: 'h', type: 'hardlink', link: 'h' }],
    expected: { outcome: 'failed', errno: 'ENOENT', entry: 'h' },
  },
  {
    name: 'a hard link to the root',
    entries: () => [{ name: 'h', type: 'hardlink', link: '/' }],
    expected: refused('h'),
  },
  {
    name: 'a file over a link to outside',
    entries: (canary) => [
      { name: 'f', type: 'symlink', link: join(canary, 'secret') },
      { name: 'f', data: 'overwritten' },
    ],
    expected: applied,
    present: () => ['f'],
  },
  {
    name: 'a directory over a link to outside',
    entries: (canary) => [
      { name: 'd', type: 'symlink', link: canary },
      { name: 'd', type: 'directory', mode: 0o777, uid: 7 },
      { name: 'd/secret', data: 'overwritten' },
    ],
    expected: applied,
    present: () => ['d/secret'],
  },
  {
    name: 'a link over a directory that had been walked through',
    entries: (canary) => [
      { name: 'd', type: 'directory' },
      { name: 'd/e', type: 'directory' },
      { name: 'd/e/f', data: 'x' },
      { name: 'd', type: 'symlink', link: canary },
      { name: 'd/secret', data: 'overwritten' },
      { name: 'd/e/secret', data: 'overwritten' },
    ],
    expected: applied,
    present: (canary) => [join(canary, 'secret'), join(canary, 'e/secret')],
  },
  {
    name: 'a link over a directory, then a hard link through it',
    entries: (canary) => [
      { name: 'd', type: 'directory' },
      { name: 'd/secret', data: 'mine' },
      { name: 'h', type: 'hardlink', link: 'd/secret' },
      { name: 'd', type: 'symlink', link: canary },
      { name: 'g', type: 'hardlink', link: 'd/secret' },
    ],
    expected: { outcome: 'failed', errno: 'ENOENT', entry: 'g' },
  },
  {
    name: 'a file over a device is not written to the device',
    entries: () => [
      { name: 'n', type: 'char', major: 1, minor: 3 },
      { name: 'n', data: 'kept' },
    ],
    expected: applied,
    present: () => ['n'],
  },
  {
    name: 'a device number that the kernel cannot hold',
    entries: () => [{ name: 'n', type: 'block', major: 4096, minor: 0 }],
    expected: refused('n'),
  },
  {
    name: 'a user that means "leave as it is"',
    entries: () => [{ name: 'f', uid: 4294967295 }],
    expected: refused('f'),
  },
  {
    name: 'a user that would wrap to root',
    entries: () => [{ name: 'f', pax: { uid: '4294967296' } }],
    expected: refused('f'),
  },
  {
    name: 'a component of 256 bytes',
    entries: () => [{ name: 'n'.repeat(256) }],
    expected: refused('n'.repeat(256)),
  },
  {
    name: 'a path of 4096 bytes',
    entries: () => [{ name: 'abcdefg/'.repeat(512) }],
    expected: refused('abcdefg/'.repeat(512)),
  },
  {
    name: 'an entry for the root itself',
    entries: () => [
      { name: './', type: 'directory', mode: 0o777, uid: 7 },
      { name: '.', type: 'symlink', link: '/' },
    ],
    expected: applied,
  },
  {
    name: 'a whiteout of nothing',
    entries: () => [{ name: 'd/.wh.' }],
    expected: refused('d/.wh.'),
  },
  {
    name: 'a whiteout of the directory itself',
    entries: () => [{ name: 'd/.wh..' }],
    options: REMOVE,
    expected: refused('d/.wh..'),
  },
  {
    name: 'a whiteout of the directory above',
    entries: () => [{ name: 'd/.wh...' }],
    options: REMOVE,
    expected: refused('d/.wh...'),
  },
  {
    name: 'a whiteout that is a directory',
    entries: () => [{ name: '.wh.x', type: 'directory' }],
    expected: refused('.wh.x'),
  },
  {
    name: 'an opaque mark that is a directory',
    entries: () => [{ name: 'd/.wh..wh..opq', type: 'directory' }],
    options: REMOVE,
    expected: refused('d/.wh..wh..opq'),
  },
  {
    name: 'a whiteout through a link to outside',
    entries: (canary) => [{ name: 'l', type: 'symlink', link: canary }, { name: 'l/.wh.secret' }],
    options: REMOVE,
    expected: applied,
  },
  {
    name: 'an opaque mark through a link to outside',
    entries: () => [
      { name: 'l', type: 'symlink', link: '../../canary' },
      { name: 'l/.wh..wh..opq' },
    ],
    options: REMOVE,
    expected: applied,
  },
  {
    name: 'a whiteout of a link removes the link',
    entries: (canary) => [{ name: 'l', type: 'symlink', link: canary }, { name: '.wh.l' }],
    options: REMOVE,
    expected: applied,
    absent: ['l'],
  },
  {
    name: 'attributes of overlayfs and others of the trusted namespace',
    entries: () => [
      {
        name: 'd',
        type: 'directory',
        pax: {
          'SCHILY.xattr.trusted.overlay.redirect': '/canary',
          'SCHILY.xattr.trusted.overlay.opaque': 'y',
          'SCHILY.xattr.user.overlay.opaque': 'y',
        },
      },
    ],
    expected: { outcome: 'applied', skippedXattrs: 3 },
  },
  {
    name: 'more levels than allowed',
    entries: () => [{ name: 'a/'.repeat(11) }],
    options: ['max-depth=10'],
    expected: { outcome: 'failed', kind: 'limit', entry: 'a/'.repeat(11) },
  },
  {
    name: 'more entries than allowed',
    entries: () => ['a', 'b', 'c'].map((name) => ({ name })),
    options: ['max-entries=2'],
    expected: { outcome: 'failed', kind: 'limit', entry: 'c' },
  },
  {
    name: 'a sparse file that is larger than allowed',
    entries: () => [
      {
        name: 'GNUSparseFile.0/big',
        data: '1\n0\n1\n'.padEnd(512, '\0') + 'x',
        pax: {
          'GNU.sparse.major': '1',
          'GNU.sparse.minor': '0',
          'GNU.sparse.name': 'big',
          'GNU.sparse.realsize': String(2 ** 50),
        },
      },
    ],
    options: ['max-bytes=1000000000'],
    expected: { outcome: 'failed', kind: 'limit', entry: 'big' },
  },
]

const missing = missingForUnpack()
const suite = missing === undefined ? describe : describe.skip

suite(`berth-unpack and hostile layers${missing === undefined ? '' : ` (${missing})`}`, () => {
  let fixture: UnpackFixture

  beforeEach(() => {
    fixture = new UnpackFixture()
  })

  afterEach(() => {
    fixture[Symbol.dispose]()
  })

  for (const { name, entries, options = [], expected, present, absent = [] } of CASES) {
    it(name, () => {
      const before = fixture.outside()
      const report = fixture.apply(buildTar(entries(fixture.canary)), options)
      assert.deepEqual(pick(report, expected), expected)
      assert.equal(fixture.outside(), before)
      for (const path of present?.(fixture.canary) ?? []) {
        assert.ok(existsSync(join(fixture.root, path)), path)
      }
      for (const path of absent) assert.throws(() => lstatSync(join(fixture.root, path)))
    })
  }

  describe('the stream around the archive', () => {
    const tar = buildTar([{ name: 'f', data: 'contents' }])
    const digest = (bytes: Buffer): string =>
      `sha256:${createHash('sha256').update(bytes).digest('hex')}`

    it('verifies digest and size, and tells the diffID', () => {
      const blob = gzipSync(tar)
      const report = fixture.apply(blob, [
        `digest=${digest(blob)}`,
        `size=${String(blob.byteLength)}`,
      ])
      assert.equal(report.diffId, digest(tar))
    })

    it('takes an empty blob as an empty layer', () => {
      assert.deepEqual(pick(fixture.apply(Buffer.alloc(0)), { outcome: '', entries: 0 }), {
        outcome: 'applied',
        entries: 0,
      })
    })

    it('counts what follows the end of the archive into the diffID', () => {
      const longer = Buffer.concat([tar, Buffer.alloc(20_000, 1)])
      assert.equal(fixture.apply(gzipSync(longer)).diffId, digest(longer))
    })

    it('refuses another digest, naming both', () => {
      const wanted = digest(Buffer.from('other'))
      const { kind, step, found } = fixture.apply(tar, [`digest=${wanted}`])
      assert.deepEqual(
        { kind, step, found },
        { kind: 'digest', step: 'verify blob digest', found: digest(tar) },
      )
    })

    it('refuses a blob that is longer than the descriptor says', () => {
      assert.equal(fixture.apply(tar, ['size=100']).step, 'verify blob size')
    })

    it('refuses a blob that is shorter than the descriptor says', () => {
      assert.equal(fixture.apply(tar, ['size=1000000']).step, 'verify blob size')
    })

    it('refuses a gzip stream that is cut off', () => {
      const blob = gzipSync(buildTar([{ name: 'f', data: Buffer.alloc(300_000, 'abcdef') }]))
      const { kind, step } = fixture.apply(blob.subarray(0, blob.byteLength - 100))
      assert.deepEqual({ kind, step }, { kind: 'archive', step: 'inflate' })
    })

    it('refuses an archive that is cut off', () => {
      const long = buildTar([{ name: 'f', data: Buffer.alloc(1000, 'x') }])
      assert.equal(fixture.apply(long.subarray(0, 700)).kind, 'archive')
    })

    describe('without an end mark, as umoci insert writes it', () => {
      const bodyEnd = 512 + 'contents'.length

      it('takes an archive that ends after the padding of its last file', () => {
        const bare = tar.subarray(0, 1024)
        const { outcome, diffId } = fixture.apply(bare)
        assert.deepEqual({ outcome, diffId }, { outcome: 'applied', diffId: digest(bare) })
      })

      it('takes an archive that ends with the last byte of its last file', () => {
        const bare = tar.subarray(0, bodyEnd)
        const { outcome, diffId } = fixture.apply(gzipSync(bare))
        assert.deepEqual({ outcome, diffId }, { outcome: 'applied', diffId: digest(bare) })
        assert.equal(readFileSync(join(fixture.root, 'f'), 'utf8'), 'contents')
      })

      it('takes an archive that ends with one block of zeros', () => {
        assert.equal(fixture.apply(tar.subarray(0, 1536)).outcome, 'applied')
      })

      it('refuses a file that lacks its last byte', () => {
        const { kind, entry } = fixture.apply(tar.subarray(0, bodyEnd - 1))
        assert.deepEqual({ kind, entry }, { kind: 'archive', entry: 'f' })
      })

      it('refuses a header that is cut off', () => {
        const two = buildTar([{ name: 'f', data: 'contents' }, { name: 'g' }])
        assert.equal(fixture.apply(two.subarray(0, 1024 + 400)).kind, 'archive')
      })

      it('refuses a header that is cut off right behind a file without padding', () => {
        const cut = Buffer.concat([tar.subarray(0, bodyEnd), buildTar([{ name: 'g' }])])
        assert.equal(fixture.apply(cut.subarray(0, 1024 + 400)).kind, 'archive')
      })
    })

    it('refuses what is no archive', () => {
      assert.equal(fixture.apply(Buffer.alloc(4096, 'no archive')).kind, 'archive')
    })

    it('refuses a broken header checksum', () => {
      const broken = Buffer.from(tar)
      broken[0] = 0x67
      assert.equal(fixture.apply(broken).kind, 'archive')
    })

    it('stops a bomb at the cap for inflated bytes', () => {
      const blob = gzipSync(Buffer.alloc(64 * 1024 * 1024))
      const { kind, step } = fixture.apply(blob, ['max-bytes=10000000'])
      assert.deepEqual({ kind, step }, { kind: 'limit', step: 'inflate' })
    })

    it('stops a bomb at the cap for the ratio', () => {
      const blob = gzipSync(buildTar([{ name: 'zeros', data: Buffer.alloc(32 * 1024 * 1024) }]))
      const { kind, step } = fixture.apply(blob, ['max-ratio=100', 'ratio-after-bytes=1000000'])
      assert.deepEqual({ kind, step }, { kind: 'limit', step: 'inflate' })
    })

    it('inflates many streams that follow each other', () => {
      const parts = [tar.subarray(0, 512), tar.subarray(512)].map((part) => gzipSync(part))
      assert.equal(fixture.apply(Buffer.concat(parts)).diffId, digest(tar))
    })
  })

  describe('whiteouts on a directory', () => {
    it('removes what lies below an opaque mark, but nothing of the layer itself', () => {
      mkdirSync(join(fixture.root, 'd/old'), { recursive: true })
      writeFileSync(join(fixture.root, 'd/old/file'), 'x')
      writeFileSync(join(fixture.root, 'd/gone'), 'x')
      fixture.apply(
        buildTar([
          { name: 'd/made/file', data: 'x' },
          { name: 'd/.wh..wh..opq' },
          { name: 'd/later' },
        ]),
        REMOVE,
      )
      assert.deepEqual(readdirSync(join(fixture.root, 'd')).sort(), ['later', 'made'])
      assert.equal(readFileSync(join(fixture.root, 'd/made/file'), 'utf8'), 'x')
    })

    it('removes a whole directory', () => {
      mkdirSync(join(fixture.root, 'd/e/f'), { recursive: true })
      writeFileSync(join(fixture.root, 'd/e/f/g'), 'x')
      fixture.apply(buildTar([{ name: '.wh.d' }]), REMOVE)
      assert.deepEqual(readdirSync(fixture.root), [])
    })

    it('leaves the marks of overlayfs in an upper directory', () => {
      fixture.apply(buildTar([{ name: '.wh.gone', uid: 5 }]))
      const mark = lstatSync(join(fixture.root, 'gone'))
      assert.deepEqual([mark.isCharacterDevice(), mark.rdev, mark.uid], [true, 0, 5])
    })
  })
})

/** The members of the report that the expectation speaks of. */
function pick(report: UnpackReport, expected: Expected): Expected {
  const keys = Object.keys(expected) as (keyof UnpackReport)[]
  return Object.fromEntries(keys.map((key) => [key, report[key]]))
}
