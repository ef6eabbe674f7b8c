/** A program on a terminal of its own: util-linux `script` makes the pair and copies it to our pipes. */
import { RunningProgram, type StartOptions } from './process.ts'

export interface TerminalOptions extends StartOptions {
  readonly rows?: number
  readonly cols?: number
}

/**
 * Starts a program with a new terminal as its standard input, output and error. What the terminal
 * shows is `stdout()` (lines end in CR LF); `write` types. The exit code is that of the program.
 */
export function startOnTerminal(
  file: string,
  args: readonly string[],
  { rows = 24, cols = 80, ...options }: TerminalOptions = {},
): RunningProgram {
  const words = [file, ...args].map(quoted).join(' ')
  const command = `stty rows ${String(rows)} cols ${String(cols)} && exec ${words}`
  return new RunningProgram('script', ['-qefc', command, '/dev/null'], {
    ...options,
    env: { ...(options.env ?? process.env), SHELL: '/bin/sh' },
    keepInput: true,
  })
}

export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
