// @ts-check
/** The layer rules refuse what DESIGN.md forbids: a tree with one forbidden import each is cruised. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT } from '../lib/paths.mjs'

/**
 * @param {Readonly<Record<string, string>>} files contents by path
 * @returns {readonly string[]} `rule: from -> to` of each violation
 */
function cruise(files) {
  const tree = mkdtempSync(join(tmpdir(), 'berth-layers-'))
  try {
    for (const [path, contents] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true })
      writeFileSync(join(tree, path), contents)
    }
    for (const file of ['package.json', 'tsconfig.json'])
      copyFileSync(join(ROOT, file), join(tree, file))
    symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [
        join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs'),
        ...['--config', join(ROOT, '.dependency-cruiser.cjs'), '--output-type', 'json'],
        ...new Set(Object.keys(files).map((path) => path.replace(/\/.*/, ''))),
      ],
      { cwd: tree, encoding: 'utf8' },
    )
    assert.equal(stderr, '')
    /** @type {{ summary: { violations: { rule: { name: string }, from: string, to: string }[] } }} */
    const { summary } = JSON.parse(stdout)
    return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)
  } finally {
    rmSync(tree, { recursive: true })
  }
}

const EMPTY = 'export const x = 1\n'

/** What each file of the forbidden tree imports, and the rule that has to refuse it. */
const FORBIDDEN = [
  { rule: 'layer-proto', from: 'proto/a.ts', imports: 'native/x.ts' },
  { rule: 'layer-native', from: 'native/a.ts', imports: 'proto/ttrpc/x.ts' },
  { rule: 'layer-runtime', from: 'runtime/a.ts', imports: 'manager/x.ts' },
  { rule: 'layer-runtime', from: 'runtime/b.ts', imports: 'proto/ttrpc/x.ts' },
  { rule: 'layer-shim', from: 'shim/a.ts', imports: 'runtime/plan/x.ts' },
  { rule: 'layer-manager', from: 'manager/a.ts', imports: 'shim/x.ts' },
  { rule: 'layer-conformance', from: 'conformance/a.ts', imports: 'manager/x.ts' },
  { rule: 'layer-bench', from: 'bench/a.ts', imports: 'native/x.ts' },
  { rule: 'no-tests-in-programs', from: 'shim/b.ts', imports: 'shim/test/x.ts' },
]

describe('DESIGN.md#folders-and-what-each-may-import', function () {
  this.timeout(60_000)

  it('accepts what is allowed', () => {
    const violations = cruise({
      'shim/a.ts': "export * from '../runtime/index.ts'\nexport * from '../proto/reader.ts'\n",
      'runtime/index.ts': "export * from '../native/b.ts'\n",
      'native/b.ts': "export * from '../proto/errors/c.ts'\n",
      'proto/errors/c.ts': EMPTY,
      'proto/reader.ts': "export { BinaryReader } from '@bufbuild/protobuf/wire'\n",
    })
    assert.deepEqual(violations, [])
  })

  it('refuses every import that crosses a layer', () => {
    const violations = cruise(
      Object.fromEntries(
        FORBIDDEN.flatMap(({ from, imports }) => [
          [from, `export * from '../${imports}'\n`],
          [imports, EMPTY],
        ]),
      ),
    )
    const wanted = FORBIDDEN.map(({ rule, from, imports }) => `${rule}: ${from} -> ${imports}`)
    assert.deepEqual([...violations].sort(), wanted.sort())
  })

  it('refuses cycles, of types as well, and npm packages in the shim, however far away', () => {
    const violations = cruise({
      'manager/a.ts': "import type { B } from './b.ts'\nexport type A = B\n",
      'manager/b.ts': "import type { A } from './a.ts'\nexport type B = A\n",
      'shim/a.ts': "export * from '../proto/b.ts'\n",
      'proto/b.ts': "export { default } from 'pino'\n",
    })
    assert.ok(violations.includes('no-cycles: manager/a.ts -> manager/b.ts'))
    assert.ok(
      violations.some((violation) =>
        /^no-npm-per-container: shim\/a\.ts -> .*node_modules\/pino\//.test(violation),
      ),
    )
  })
})
