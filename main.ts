/**
 * The entry of the one executable we ship, `dist/berth`: it becomes the program it is called as
 * (DESIGN 1). Each program is a chunk of its own, so a runtime start never loads the manager.
 */
import { basename } from 'node:path'
import { writeSync } from 'node:fs'

const STDERR = 2

interface Program {
  /** Runs the program to its end; the result is the exit code. */
  main(args: readonly string[]): Promise<number>
}

const PROGRAMS: Readonly<Record<string, () => Promise<Program>>> = {
  'berth-runtime': () => import('./runtime/main.ts'),
  'containerd-shim-berth-v2': () => import('./shim/main.ts'),
  berthd: () => import('./manager/main.ts'),
  berthctl: () => import('./manager/ctl/main.ts'),
}

const calledAs = basename(process.argv0)
const load = PROGRAMS[calledAs]
if (load === undefined) {
  const names = Object.keys(PROGRAMS).join(', ')
  writeSync(
    STDERR,
    `berth is called by the name of one of its programs: found ${calledAs}, want one of ${names} (they are links to this file)\n`,
  )
  process.exitCode = 64
} else {
  const program = await load()
  process.exitCode = await program.main(process.argv.slice(2))
}
