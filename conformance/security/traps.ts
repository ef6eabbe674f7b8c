import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Files that a JavaScript engine would read from its working directory, each of which would leave the proof. */
export function plantTraps(dir: string, proof: string): void {
  const script = join(dir, 'trap.cjs')
  writeFileSync(script, `require('node:fs').writeFileSync(${JSON.stringify(proof)}, 'pwned')\n`)
  writeFileSync(
    join(dir, 'bunfig.toml'),
    `preload = ["${script}"]\n[run]\npreload = ["${script}"]\n`,
  )
  writeFileSync(
    join(dir, '.env'),
    `NODE_OPTIONS=--require=${script}\nBUN_OPTIONS=--preload=${script}\n`,
  )
  writeFileSync(join(dir, 'tsconfig.json'), '{ not json')
  writeFileSync(
    join(dir, 'package.json'),
    JSON.stringify({ name: 'x', type: 'commonjs', imports: { '#*': script } }),
  )
  mkdirSync(join(dir, 'node_modules', 'lmdb'), { recursive: true })
  copyFileSync(script, join(dir, 'node_modules', 'lmdb', 'index.js'))
}
