/**
 * `npm run bench`: ours against the peers, side by side in one run, as ratios.
 *
 *   --only runtime,run,memory,pull   some of the parts
 *   --rounds N                       how often the short ones run (30)
 *   --markdown                       the table as it stands in the README
 *
 * The values also go to build/bench.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

import { needRoot } from '../conformance/harness/needs.ts'
import { isExecutable, programs, repositoryDir } from '../conformance/harness/programs.ts'
import { compareMemory, comparePull, compareRun } from './managers.ts'
import type { Comparison } from './measurement.ts'
import { machineLine, markdownTable, ratio, textTable } from './report.ts'
import { compareRuntimes } from './runtime.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'runtime,run,memory,pull' },
    rounds: { type: 'string', default: '30' },
    markdown: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)

const PARTS: Readonly<Record<string, () => Promise<readonly Comparison[]>>> = {
  runtime: () => compareRuntimes(rounds),
  run: () => compareRun(rounds),
  memory: () => compareMemory(10),
  pull: () => comparePull(5),
}

needRoot()
const missing = [
  programs.runtime,
  programs.berthd,
  programs.runc,
  programs.containerd,
  programs.ctr,
].filter((path) => !isExecutable(path))
if (missing.length > 0)
  throw new Error(`these programs are missing: ${missing.join(', ')} (npm run build makes ours)`)

const comparisons: Comparison[] = []
for (const name of values.only.split(',')) {
  const part = PARTS[name]
  if (part === undefined)
    throw new Error(`--only: found ${name}, want some of ${Object.keys(PARTS).join(', ')}`)
  process.stderr.write(`measuring: ${name}\n`)
  comparisons.push(...(await part()))
}

const file = join(repositoryDir, 'build', 'bench.json')
mkdirSync(dirname(file), { recursive: true })
writeFileSync(
  file,
  `${JSON.stringify(
    {
      machine: machineLine(),
      measuredAt: new Date().toISOString(),
      comparisons: comparisons.map((comparison) => ({ ...comparison, ratio: ratio(comparison) })),
    },
    undefined,
    2,
  )}\n`,
)
process.stdout.write(
  `${values.markdown ? markdownTable(comparisons) : textTable(comparisons)}\n\n${machineLine()}\n`,
)
