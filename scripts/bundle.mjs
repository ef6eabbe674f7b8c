// @ts-check
/**
 * Compiles main.ts and everything it imports into one executable. Run by bun, by `scripts/build.mjs`:
 *
 *     bun scripts/bundle.mjs OUTPUT
 */
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

const outfile = process.argv[2]
if (outfile === undefined) throw new Error('bundle: want the path of the executable to make')

/** The part of Bun's build API that is used here. */
/**
 * @typedef {{ onResolve(filter: { filter: RegExp }, to: () => { path: string }): void }} PluginBuild
 * @typedef {{ success: boolean, logs: readonly unknown[] }} BuildResult
 * @typedef {{ build(options: object): Promise<BuildResult> }} BunApi
 */
const { Bun } = /** @type {{ Bun: BunApi }} */ (/** @type {unknown} */ (globalThis))

const result = await Bun.build({
  entrypoints: [join(ROOT, 'main.ts')],
  target: 'bun',
  format: 'esm',
  // One chunk per program: starting the runtime never loads the manager (docs/decisions/0001).
  splitting: true,
  bytecode: true,
  minify: { syntax: true, whitespace: true, identifiers: false },
  compile: {
    outfile,
    // A runtime's working directory is a bundle that may belong to somebody hostile (DESIGN 2).
    autoloadBunfig: false,
    autoloadDotenv: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
  plugins: [
    {
      name: 'lmdb-in-a-compiled-program',
      /** @param {PluginBuild} build */
      setup(build) {
        build.onResolve({ filter: /^lmdb$/ }, () => ({
          path: join(ROOT, 'node_modules/lmdb/dist/index.cjs'),
        }))
        build.onResolve({ filter: /^node-gyp-build-optional-packages$/ }, () => ({
          path: join(ROOT, 'scripts/native-loader.cjs'),
        }))
      },
    },
  ],
})

for (const log of result.logs) process.stderr.write(`${String(log)}\n`)
if (!result.success) process.exitCode = 1
