// @ts-check
/**
 * `npm run check`: types, lint, layers, format, schema lint and unit tests. No root needed once the
 * packages are installed.
 */
import './lib/node-version.mjs'
import { join } from 'node:path'
import { build } from './lib/build.mjs'
import { compileTests, runMocha, UNIT_TESTS } from './lib/mocha.mjs'
import { ROOT, tool } from './lib/paths.mjs'
import { PlainError, run, runMain } from './lib/run.mjs'
import { setUp } from './lib/setup.mjs'

/**
 * A program out of an npm package that is written in JavaScript.
 *
 * @param {string} script below node_modules/
 * @param {readonly string[]} args
 */
const npmProgram = (script, args) =>
  run(process.execPath, [join(ROOT, 'node_modules', script), ...args])

/** The folders that the layer table names. */
const LAYERED = ['proto', 'native', 'runtime', 'shim', 'manager', 'conformance', 'bench', 'scripts']

/** The unit tests take seconds; a machine may be busy. */
const UNIT_TIMEOUT_MS = 5 * 60_000

async function testUnits() {
  const { results, output } = await runMocha(UNIT_TESTS, {
    visible: false,
    timeoutMs: UNIT_TIMEOUT_MS,
  })
  if (results.failed.length > 0) throw new PlainError(output.trimEnd())
  return `${String(results.passed)} passed, ${String(results.skipped.length)} skipped`
}

/** @typedef {() => Promise<unknown>} Check its result, when it is one line, is shown */

/**
 * Runs one check and prints how it went.
 *
 * @param {string} name
 * @param {Check} check
 * @returns {Promise<boolean>}
 */
async function report(name, check) {
  const startedMs = performance.now()
  const elapsed = () => `${((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)} s`
  try {
    const said = await check()
    const detail = typeof said === 'string' && !said.trim().includes('\n') ? said.trim() : ''
    process.stdout.write(`✓ ${name.padEnd(8)}${elapsed()}  ${detail}\n`)
    return true
  } catch (error) {
    if (!(error instanceof PlainError)) throw error
    process.stdout.write(`✗ ${name.padEnd(8)}${elapsed()}\n${error.message}\n\n`)
    return false
  }
}

await runMain(async () => {
  await setUp('build')
  await build()
  // Two lines of work for two processors: the compiler and the tests it compiles, and everything else.
  const outcomes = await Promise.all([
    (async () => [await report('types', compileTests), await report('units', testUnits)])(),
    (async () => [
      await report('lint', () => npmProgram('eslint/bin/eslint.js', ['.'])),
      await report('layers', async () => {
        const said = await npmProgram('dependency-cruiser/bin/dependency-cruise.mjs', [
          ...LAYERED,
          'main.ts',
        ])
        return said.replace(/^.*\((.*)\)\s*$/s, '$1')
      }),
      await report('format', () =>
        npmProgram('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.']),
      ),
      await report('schema', () => run(tool('buf'), ['lint'])),
    ])(),
  ])
  return outcomes.flat().every(Boolean) ? 0 : 1
})
