// @ts-check
/**
 * `npm run demo [-- IMAGE [COMMAND…]]`: installs and builds what is missing, then runs an image through
 * image, snapshot, container, task, shim and runtime. Without an image it is the embedded hello image.
 */
import './lib/node-version.mjs'
import { build } from './lib/build.mjs'
import { tool } from './lib/paths.mjs'
import { runMain, runVisibly } from './lib/run.mjs'
import { setUp } from './lib/setup.mjs'

await runMain(async () => {
  await setUp('run')
  await build()
  return runVisibly(tool('bun'), ['scripts/demo/main.ts', ...process.argv.slice(2)])
})
