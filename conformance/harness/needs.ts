/** What a machine or a subject must have for a test; a test without it is skipped with the reason. */
import { existsSync, readFileSync } from 'node:fs'
import type { Context } from 'mocha'

/** Skips the running test, saying why in its title, unless the condition holds. */
export function need(test: Context, condition: boolean, reason: string): void {
  if (condition) return
  const { test: runnable } = test
  if (runnable !== undefined) runnable.title += ` (skipped: ${reason})`
  test.skip()
}

/** Fails early and clearly: the suites make namespaces, mounts and cgroups. */
export function needRoot(): void {
  if (process.getuid?.() !== 0)
    throw new Error(`the conformance suites run as root: found user ${String(process.getuid?.())}`)
}

/** Whether a cgroup v1 hierarchy with this controller is mounted. */
export function hasCgroupV1(controller: string): boolean {
  return existsSync(`/sys/fs/cgroup/${controller}/cgroup.procs`)
}

/** Whether /sys/fs/cgroup itself is the unified hierarchy. */
export function hasCgroupV2(): boolean {
  return existsSync('/sys/fs/cgroup/cgroup.controllers')
}

export function hasAppArmor(): boolean {
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y')
  } catch {
    return false
  }
}
