import assert from 'node:assert/strict'
import {
  chmodSync,
  cpSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { runOk } from '../process.ts'
import { treeDifference, treeLines, withoutUnpackTimes } from '../tree-hash.ts'

/** Two equal trees, and what one change to the second makes of their difference. */
async function differenceAfter(change: (root: string) => unknown): Promise<readonly string[]> {
  const base = mkdtempSync(join(tmpdir(), 'tree-'))
  try {
    const one = join(base, 'one')
    const two = join(base, 'two')
    for (const root of [one, two]) makeTree(root)
    await change(two)
    for (const root of [one, two])
      for (const name of ['', 'dir']) utimesSync(join(root, name), 1000, 1000)
    return treeDifference(await treeLines(one), await treeLines(two))
  } finally {
    rmSync(base, { recursive: true })
  }
}

function makeTree(root: string): void {
  mkdirSync(join(root, 'dir'), { recursive: true })
  writeFileSync(join(root, 'dir', 'file'), 'content')
  writeFileSync(join(root, 'dir', 'größe'), 'name beyond ASCII')
  linkSync(join(root, 'dir', 'file'), join(root, 'dir', 'hardlink'))
  symlinkSync('file', join(root, 'dir', 'symlink'))
  for (const name of ['file', 'größe', 'symlink']) lutimesSync(join(root, 'dir', name), 1000, 1000)
}

describe('treeLines', () => {
  it('are the same for the same tree', async () => {
    assert.deepEqual(await differenceAfter(() => undefined), [])
  })

  const CHANGES: Readonly<Record<string, (root: string) => unknown>> = {
    content: (root) => {
      writeFileSync(join(root, 'dir', 'file'), 'CONTENT')
      utimesSync(join(root, 'dir', 'file'), 1000, 1000)
    },
    mode: (root) => {
      chmodSync(join(root, 'dir', 'größe'), 0o600)
    },
    'modification time': (root) => {
      utimesSync(join(root, 'dir', 'file'), 1000, 1000.001)
    },
    'symlink target': (root) => {
      unlinkSync(join(root, 'dir', 'symlink'))
      symlinkSync('fine', join(root, 'dir', 'symlink'))
      lutimesSync(join(root, 'dir', 'symlink'), 1000, 1000)
    },
    'a copy instead of a hardlink': (root) => {
      unlinkSync(join(root, 'dir', 'hardlink'))
      cpSync(join(root, 'dir', 'file'), join(root, 'dir', 'hardlink'), { preserveTimestamps: true })
    },
    'an extended attribute': (root) =>
      runOk('setfattr', ['-n', 'user.x', '-v', '0x00ff', join(root, 'dir', 'file')]),
    'an attribute of a file whose name is not ASCII': (root) =>
      runOk('setfattr', ['-n', 'user.x', '-v', '0x01', join(root, 'dir', 'größe')]),
    'one more file': (root) => {
      writeFileSync(join(root, 'dir', 'more'), '')
    },
    'a fifo': (root) => runOk('mkfifo', [join(root, 'dir', 'fifo')]),
  }
  for (const [what, change] of Object.entries(CHANGES))
    it(`differ in ${what}`, async () => {
      assert.notDeepEqual(await differenceAfter(change), [])
    })
})

describe('withoutUnpackTimes', () => {
  it('forgets the time of a directory that the expected side got by unpacking, and nothing else', () => {
    const [expected, found] = withoutUnpackTimes(
      ['/d directory 0755 0:0 mtime=unpacked', '/e directory 0755 0:0 mtime=5'],
      ['/d directory 0755 0:0 mtime=7', '/e directory 0755 0:0 mtime=6'],
    )
    assert.deepEqual(treeDifference(expected, found), [
      '- /e directory 0755 0:0 mtime=5',
      '+ /e directory 0755 0:0 mtime=6',
    ])
  })
})
