/** Reads the kernel's account files. What a kernel does not have reads as absent, not as an error. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export function readText(directory: string, name: string): string | undefined {
  try {
    return readFileSync(join(directory, name), 'utf8')
  } catch {
    return undefined
  }
}

/** 0 when there is no such file; `max` is the largest number. */
export function readCount(directory: string, name: string): bigint {
  return parseCount(readText(directory, name) ?? '')
}

const MAX_U64 = 0xffff_ffff_ffff_ffffn

export function parseCount(text: string): bigint {
  const trimmed = text.trim()
  if (trimmed === 'max') return MAX_U64
  return /^\d+$/.test(trimmed) ? BigInt(trimmed) : 0n
}

/** Files of `key value` lines. */
export function readCounts(directory: string, name: string): (key: string) => bigint {
  const counts = new Map<string, bigint>()
  for (const line of (readText(directory, name) ?? '').split('\n')) {
    const space = line.indexOf(' ')
    if (space > 0) counts.set(line.slice(0, space), parseCount(line.slice(space + 1)))
  }
  return (key) => counts.get(key) ?? 0n
}
