/** The table of a measurement, for people, for the README and for programs. */
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

import type { Comparison } from './measurement.ts'

const HEADINGS = ['what', 'berth', 'peer', 'ratio', 'ratio of cpu time', 'target'] as const

function cells(comparison: Comparison): readonly string[] {
  const { what, unit, ours, peer, peerName, target, cpu } = comparison
  const value = (number: number): string =>
    unit === 'ms' ? `${number.toFixed(1)} ms` : `${number.toFixed(0)} KiB`
  return [
    what,
    value(ours),
    `${value(peer)} (${peerName})`,
    ratio(comparison).toFixed(2),
    cpu === undefined ? '' : (cpu.oursMs / cpu.peerMs).toFixed(2),
    target === undefined ? '' : `≤ ${String(target)} ${ratio(comparison) <= target ? '✓' : '✗'}`,
  ]
}

export function ratio({ ours, peer }: Comparison): number {
  return ours / peer
}

/** Columns aligned with spaces. */
export function textTable(comparisons: readonly Comparison[]): string {
  const lines = [HEADINGS, ...comparisons.map(cells)]
  const widths = HEADINGS.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function markdownTable(comparisons: readonly Comparison[]): string {
  const row = (line: readonly string[]): string => `| ${line.join(' | ')} |`
  return [
    row(HEADINGS),
    row(HEADINGS.map(() => '---')),
    ...comparisons.map((one) => row(cells(one))),
  ].join('\n')
}

/** One line: processor, memory, kernel. */
export function machineLine(): string {
  const [cpu] = cpus()
  const gib = (totalmem() / 2 ** 30).toFixed(0)
  return `${cpu?.model ?? 'unknown processor'}, ${String(cpus().length)} cores, ${gib} GiB, Linux ${release()}, ${cgroups()}`
}

function cgroups(): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
  const v1 = mounts.includes(' cgroup ')
  const v2 = mounts.includes(' cgroup2 ')
  if (v1 && v2) return 'cgroup v1 and v2'
  return v1 ? 'cgroup v1' : 'cgroup v2'
}
