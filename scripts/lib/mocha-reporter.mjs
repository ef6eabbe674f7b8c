// @ts-check
/**
 * One line per top-level suite while the tests run, the failures in full at the end. For the summary of
 * several runs the counts go as JSON to the file named by BERTH_TEST_RESULTS, and beside it, with the
 * ending `.current`, the title of the test that is running: a test that never yields can only be killed.
 */
import Mocha from 'mocha'
import { writeFileSync } from 'node:fs'

const {
  EVENT_RUN_END,
  EVENT_SUITE_BEGIN,
  EVENT_SUITE_END,
  EVENT_TEST_BEGIN,
  EVENT_TEST_END,
  EVENT_TEST_FAIL,
} = Mocha.Runner.constants

/**
 * @typedef {object} Results
 * @property {number} passed
 * @property {readonly string[]} failed full titles
 * @property {readonly string[]} skipped full titles, with the reason
 */

export default class SuiteReporter extends Mocha.reporters.Base {
  /**
   * @param {Mocha.Runner} runner
   * @param {Mocha.MochaOptions} options
   */
  constructor(runner, options) {
    super(runner, options)
    /** @type {string[]} */
    const failed = []
    /** @type {string[]} */
    const skipped = []
    let passed = 0
    let counts = { passed: 0, failed: 0, skipped: 0 }
    let startedMs = 0
    const file = process.env['BERTH_TEST_RESULTS']

    runner.on(EVENT_SUITE_BEGIN, (suite) => {
      if (suite.parent?.root !== true) return
      counts = { passed: 0, failed: 0, skipped: 0 }
      startedMs = performance.now()
    })
    runner.on(EVENT_TEST_BEGIN, (test) => {
      if (file !== undefined) writeFileSync(`${file}.current`, test.fullTitle())
    })
    runner.on(EVENT_TEST_END, (test) => {
      if (test.isPending()) {
        skipped.push(test.fullTitle())
        counts.skipped += 1
      } else if (test.state === 'passed') {
        passed += 1
        counts.passed += 1
      }
    })
    runner.on(EVENT_TEST_FAIL, (test) => {
      // Also emitted for hooks, which never end as tests.
      failed.push(test.fullTitle())
      counts.failed += 1
    })
    runner.on(EVENT_SUITE_END, (suite) => {
      if (suite.parent?.root !== true) return
      const mark =
        counts.failed > 0 ? paint(31, '✗') : counts.passed > 0 ? paint(32, '✓') : paint(36, '-')
      const numbers = [
        `${String(counts.passed)} passed`,
        ...(counts.failed > 0 ? [paint(31, `${String(counts.failed)} failed`)] : []),
        ...(counts.skipped > 0 ? [paint(36, `${String(counts.skipped)} skipped`)] : []),
      ]
      const seconds = (performance.now() - startedMs) / 1000
      const time = seconds < 1 ? '' : `, ${seconds.toFixed(1)} s`
      process.stdout.write(
        `  ${mark} ${suite.title} ${paint(2, `(${numbers.join(', ')}${time})`)}\n`,
      )
    })
    runner.on(EVENT_RUN_END, () => {
      if (this.failures.length > 0) Mocha.reporters.Base.list(this.failures)
      /** @type {Results} */
      const results = { passed, failed, skipped }
      if (file !== undefined) writeFileSync(file, JSON.stringify(results))
    })
  }
}

/**
 * @param {number} code of the terminal's graphic rendition
 * @param {string} text
 */
function paint(code, text) {
  return Mocha.reporters.Base.useColors ? `\u001b[${String(code)}m${text}\u001b[0m` : text
}
