// @ts-check
/** Compiles the addon's tests with Bun as our programs are compiled, and runs them. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../../..')
const MADE = join(ROOT, 'build/on-bun')
const bun = join(ROOT, 'node_modules/.bin/bun')

rmSync(MADE, { recursive: true, force: true })
mkdirSync(MADE, { recursive: true })
symlinkSync(join(ROOT, 'dist/berth.node'), join(MADE, 'berth.node'))
const program = join(MADE, 'tests')
const source = join(import.meta.dirname, 'tests.ts')
const options = ['--compile', '--bytecode', '--format=esm', '--target=bun', `--outfile=${program}`]
execFileSync(bun, ['build', ...options, source], { stdio: ['ignore', 'ignore', 'inherit'] })
execFileSync(program, { stdio: 'inherit', cwd: MADE })
