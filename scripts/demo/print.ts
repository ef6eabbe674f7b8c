/** What the demo writes to the terminal: plain when it is none, or when NO_COLOR is set. */
import type { Fact } from './facts.ts'
import type { Stage } from './stages.ts'

const hasColours = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === ''

const paint =
  (code: number) =>
  (text: string): string =>
    hasColours ? `\u001b[${code}m${text}\u001b[0m` : text

export const bold = paint(1)
export const dim = paint(2)
export const red = paint(31)
export const green = paint(32)
export const cyan = paint(36)

export function line(text = ''): void {
  process.stdout.write(`${text}\n`)
}

export function heading(text: string): void {
  line(`\n${bold(text)}`)
}

/** What somebody else said, set off from what we say. */
export function quote(text: string): void {
  for (const quoted of text.replace(/\n$/, '').split('\n')) line(`  ${dim('│')} ${quoted}`)
}

export function pairs(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) line(`  ${dim(name.padEnd(width))}  ${value}`)
}

const BAR_WIDTH = 24

export function stageTable(stages: readonly Stage[]): void {
  const width = Math.max(...stages.map(({ name }) => name.length))
  const longestMs = Math.max(...stages.map(({ durationMs }) => durationMs))
  for (const { name, durationMs } of stages) {
    const bar = '▇'.repeat(Math.max(1, Math.round((durationMs / longestMs) * BAR_WIDTH)))
    line(`  ${name.padEnd(width)}  ${milliseconds(durationMs)}  ${cyan(bar)}`)
  }
  const totalMs = stages.reduce((sum, { durationMs }) => sum + durationMs, 0)
  line(`  ${bold('together'.padEnd(width))}  ${bold(milliseconds(totalMs))}`)
}

function milliseconds(durationMs: number): string {
  return `${durationMs.toFixed(1).padStart(8)} ms`
}

export function factTable(facts: readonly Fact[]): void {
  const nameWidth = Math.max(...facts.map(({ name }) => name.length))
  const insideWidth = Math.max(...facts.map(({ inside }) => inside.length))
  line(`  ${dim(`${''.padEnd(nameWidth)}  ${'inside'.padEnd(insideWidth)}  on the host`)}`)
  for (const { name, inside, host } of facts) {
    line(`  ${name.padEnd(nameWidth)}  ${green(inside.padEnd(insideWidth))}  ${dim(host)}`)
  }
}
