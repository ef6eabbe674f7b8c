import assert from 'node:assert/strict'
import { formatAge, formatSize, formatTable } from '../table.ts'

describe('what berthctl prints', () => {
  it('aligns columns and leaves no blanks at the ends of lines', () => {
    assert.equal(
      formatTable([
        ['A', 'LONG HEADING', 'C'],
        ['wide cell', 'x', ''],
      ]),
      'A          LONG HEADING  C\nwide cell  x\n',
    )
  })

  const sizes: readonly [bigint, string][] = [
    [0n, '0 B'],
    [1023n, '1023 B'],
    [1536n, '1.5 KiB'],
    [104_857_600n, '100 MiB'],
  ]
  for (const [bytes, text] of sizes) {
    it(`prints ${String(bytes)} bytes as ${text}`, () => {
      assert.equal(formatSize(bytes), text)
    })
  }

  const ages: readonly [bigint, string][] = [
    [1000n, 'just now'],
    [999n, '1 second ago'],
    [880n, '2 minutes ago'],
    [2000n, 'just now'],
  ]
  for (const [seconds, text] of ages) {
    it(`prints second ${String(seconds)} of 1000 as ${text}`, () => {
      assert.equal(formatAge({ seconds }, 1_000_000), text)
    })
  }
})
