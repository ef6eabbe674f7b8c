// @ts-check
/** `npm run build`: installs what is missing and makes what is stale in `dist/`. */
import './lib/node-version.mjs'
import { build } from './lib/build.mjs'
import { runMain } from './lib/run.mjs'
import { setUp } from './lib/setup.mjs'

await runMain(async () => {
  await setUp('build')
  await build()
})
