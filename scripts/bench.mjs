// @ts-check
/** `npm run bench [-- OPTIONS]`: installs and builds what is missing, then measures ours against the peers. */
import './lib/node-version.mjs'
import { build } from './lib/build.mjs'
import { tool } from './lib/paths.mjs'
import { runMain, runVisibly } from './lib/run.mjs'
import { setUp } from './lib/setup.mjs'

await runMain(async () => {
  await setUp('test')
  await build()
  return runVisibly(tool('bun'), ['bench/main.ts', ...process.argv.slice(2)])
})
