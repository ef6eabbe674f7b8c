// @ts-check
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BUILD, ROOT } from './paths.mjs'
import { PlainError, run, runAnyway } from './run.mjs'

/** Unit tests: no root, no compiled programs but the addon. */
export const UNIT_TESTS = ['build/js/**/test/*.test.js', 'scripts/test/*.test.mjs']

/**
 * Compiles every TypeScript file into build/js for mocha, and removes what an earlier compilation left
 * there of files that are gone: their tests would still run.
 *
 * @throws {PlainError} with the type errors
 */
export async function compileTests() {
  await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', ROOT])
  const compiled = join(BUILD, 'js')
  for (const entry of readdirSync(compiled, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || !path.endsWith('.js')) continue
    const source = join(ROOT, path.slice(compiled.length + 1))
    if (!existsSync(source) && !existsSync(source.replace(/\.js$/, '.ts'))) rmSync(path)
  }
}

/** @typedef {import('./mocha-reporter.mjs').Results} Results */

/**
 * Runs mocha on the files that the patterns name.
 *
 * @param {readonly string[]} patterns
 * @param {{ env?: Readonly<Record<string, string>>, visible: boolean, timeoutMs: number }} options
 *   visible: print while it runs; timeoutMs: of the whole run
 * @returns {Promise<{ results: Results, output: string }>}
 * @throws {PlainError} when mocha itself fails: no test found, a file that cannot be loaded
 */
export async function runMocha(patterns, { env = {}, visible, timeoutMs }) {
  const directory = mkdtempSync(join(tmpdir(), 'berth-mocha-'))
  const file = join(directory, 'results.json')
  try {
    const args = ['--reporter', join(ROOT, 'scripts/lib/mocha-reporter.mjs'), ...patterns]
    const { exitCode, output } = await runAnyway(
      process.execPath,
      ['--enable-source-maps', join(ROOT, 'node_modules/mocha/bin/mocha.js'), ...args],
      {
        env: { ...process.env, ...colours(), ...env, BERTH_TEST_RESULTS: file },
        visible,
        timeoutMs,
      },
    )
    if (!existsSync(file) && existsSync(`${file}.current`)) {
      const running = readFileSync(`${file}.current`, 'utf8')
      throw new PlainError(
        `mocha was ended before its tests did, or after ${String(timeoutMs / 60_000)} minutes, in: ${running}\n${visible ? '' : output.trimEnd()}`,
      )
    }
    if (!existsSync(file)) throw new PlainError(`mocha ${patterns.join(' ')}\n${output.trimEnd()}`)
    const results = /** @type {Results} */ (JSON.parse(readFileSync(file, 'utf8')))
    if (results.passed + results.failed.length + results.skipped.length === 0) {
      throw new PlainError(`mocha ${patterns.join(' ')}: found no test`)
    }
    if (exitCode !== 0 && results.failed.length === 0) {
      throw new PlainError(
        `mocha ${patterns.join(' ')}: exit code ${String(exitCode)}\n${output.trimEnd()}`,
      )
    }
    return { results, output }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** @returns {Readonly<Record<string, string>>} */
function colours() {
  return process.stdout.isTTY ? { FORCE_COLOR: '1', MOCHA_COLORS: '1' } : {}
}
