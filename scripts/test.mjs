// @ts-check
/**
 * `npm test`: everything. Installs and builds what is missing, then runs the unit tests and, on the
 * compiled programs, the end-to-end and conformance suites, ours and their peers'. The last line counts;
 * what was skipped is listed with its reason.
 */
import './lib/node-version.mjs'
import { build } from './lib/build.mjs'
import { compileTests, runMocha, UNIT_TESTS } from './lib/mocha.mjs'
import { PlainError, runMain } from './lib/run.mjs'
import { setUp } from './lib/setup.mjs'

/**
 * A suite that a peer does not pass tests nothing but our own opinion, so each runs against one as well.
 *
 * @type {readonly { title: string, patterns: readonly string[], env: Readonly<Record<string, string>> }[]}
 */
const RUNS = [
  { title: 'unit', patterns: UNIT_TESTS, env: {} },
  { title: 'berth', patterns: ['build/js/conformance/**/*.suite.js'], env: {} },
  {
    title: 'runc',
    patterns: ['build/js/conformance/runtime/*.suite.js'],
    env: { RUNTIME: '/usr/sbin/runc' },
  },
  {
    title: 'containerd',
    patterns: ['build/js/conformance/manager/*.suite.js'],
    env: { MANAGER: 'containerd' },
  },
]

/** Of each run: all together stay below half an hour on a machine with nothing else to do. */
const RUN_TIMEOUT_MS = 20 * 60_000

await runMain(async () => {
  const startedMs = performance.now()
  await setUp('test')
  await build()
  await compileTests()
  let passed = 0
  /** @type {string[]} */
  const failed = []
  /** @type {string[]} */
  const skipped = []
  for (const { title, patterns, env } of RUNS) {
    process.stdout.write(`\n${title}\n`)
    try {
      const { results } = await runMocha(patterns, {
        visible: true,
        env,
        timeoutMs: RUN_TIMEOUT_MS,
      })
      passed += results.passed
      failed.push(...results.failed.map((test) => `${title}: ${test}`))
      skipped.push(...results.skipped.map((test) => `${title}: ${test}`))
    } catch (error) {
      if (!(error instanceof PlainError)) throw error
      process.stdout.write(`${error.message}\n`)
      failed.push(`${title}: the run itself`)
    }
  }
  if (skipped.length > 0) {
    process.stdout.write(`\nskipped\n${skipped.map((title) => `  - ${title}\n`).join('')}`)
  }
  if (failed.length > 0) {
    process.stdout.write(`\nfailed\n${failed.map((title) => `  ✗ ${title}\n`).join('')}`)
  }
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1)
  process.stdout.write(
    `\n${String(passed)} passed, ${String(failed.length)} failed, ${String(skipped.length)} skipped in ${minutes} min\n`,
  )
  return failed.length > 0 || passed === 0 ? 1 : 0
})
