/**
 * Where a run of the default bundle spends itself: how many system calls, processes and threads ours and runc
 * need, by strace. Counts are exact; the times are those of a traced program and only tell proportions.
 *
 *   node build/js/bench/breakdown.js [RUNTIME...]
 */
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

import { runOk } from '../conformance/harness/process.ts'
import { programs } from '../conformance/harness/programs.ts'
import { Workspace } from '../conformance/harness/workspace.ts'
import { makeBundle } from './bundle.ts'

const TOP = 20

await using workspace = new Workspace()
const bundle = await makeBundle(workspace)
const runtimes = process.argv.length > 2 ? process.argv.slice(2) : [programs.runtime, programs.runc]
for (const runtime of runtimes) {
  const name = basename(runtime)
  const run = [
    '--root',
    workspace.path(`root-${name}`),
    'run',
    '--bundle',
    bundle,
    `${workspace.token}-${name}`,
  ]
  const traces = workspace.makeDir(`traces-${name}`)
  await runOk('strace', ['-ff', '-r', '-o', join(traces, 'trace'), runtime, ...run], {
    env: workspace.env,
  })
  const counts = new Map<string, number>()
  const files = readdirSync(traces)
  for (const file of files)
    for (const line of readFileSync(join(traces, file), 'utf8').split('\n')) {
      const call = /^\s*[\d.]+ (\w+)\(/.exec(line)?.[1]
      if (call !== undefined) counts.set(call, (counts.get(call) ?? 0) + 1)
    }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  process.stdout.write(
    `${name}: ${String(total)} system calls in ${String(files.length)} processes and threads\n`,
  )
  for (const [call, count] of [...counts].toSorted(([, a], [, b]) => b - a).slice(0, TOP))
    process.stdout.write(`  ${String(count).padStart(6)} ${call}\n`)
}
