/**
 * The leak probe: what is still there of a test after it ended. Several people and suites share a
 * machine, so it looks for the test's own token instead of comparing the whole machine: every path,
 * container id and environment that a test makes carries the token of its workspace.
 *
 * It looks at mount tables of all mount namespaces, cgroup directories of every hierarchy, processes
 * (command line, environment, working directory, executable, cgroup), named network namespaces, unix sockets
 * and loop devices.
 */
import { type Dirent, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** One leftover, as a line for people. Empty when the test left nothing. */
export function findLeaks(token: string): readonly string[] {
  return [
    ...leakedMounts(token),
    ...leakedCgroups(token),
    ...leakedProcesses(token),
    ...leakedNames('/run/netns', token, 'network namespace'),
    ...leakedSockets(token),
    ...leakedLoopDevices(token),
  ]
}

function leakedMounts(token: string): string[] {
  const seen = new Set<string>()
  const found: string[] = []
  for (const pid of ['self', ...processIds()]) {
    const namespace = tryReadlink(`/proc/${pid}/ns/mnt`)
    if (namespace === undefined || seen.has(namespace)) continue
    seen.add(namespace)
    for (const line of tryRead(`/proc/${pid}/mountinfo`).split('\n'))
      if (line.includes(token)) found.push(`mount in the namespace of process ${pid}: ${line}`)
  }
  return found
}

function leakedCgroups(token: string): string[] {
  const found: string[] = []
  const visit = (dir: string): void => {
    for (const entry of tryList(dir)) {
      if (!entry.isDirectory()) continue
      const path = join(dir, entry.name)
      if (entry.name.includes(token)) found.push(`cgroup ${path}`)
      else visit(path)
    }
  }
  visit('/sys/fs/cgroup')
  return found
}

function leakedProcesses(token: string): string[] {
  const own = String(process.pid)
  return processIds().flatMap((pid) => {
    if (pid === own || isOrphanZombie(pid)) return []
    const command = tryRead(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
    const trace: readonly (readonly [string, string])[] = [
      ['command line', command],
      ['environment', tryRead(`/proc/${pid}/environ`)],
      ['working directory', tryReadlink(`/proc/${pid}/cwd`) ?? ''],
      ['executable', tryReadlink(`/proc/${pid}/exe`) ?? ''],
      ['root', tryReadlink(`/proc/${pid}/root`) ?? ''],
      ['cgroup', tryRead(`/proc/${pid}/cgroup`)],
    ]
    const where = trace.find(([, text]) => text.includes(token))
    return where === undefined
      ? []
      : [`process ${pid} (by its ${where[0]}): ${command || tryRead(`/proc/${pid}/comm`).trim()}`]
  })
}

/** A dead orphan that process 1 has not reaped yet: whoever left it behind can do nothing about it. */
function isOrphanZombie(pid: string): boolean {
  const stat = tryRead(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z 1 ')
}

function leakedSockets(token: string): string[] {
  return tryRead('/proc/net/unix')
    .split('\n')
    .filter((line) => line.includes(token))
    .map((line) => `unix socket ${line.split(' ').at(-1) ?? line}`)
}

function leakedLoopDevices(token: string): string[] {
  return tryList('/sys/block').flatMap(({ name }) => {
    const file = tryRead(`/sys/block/${name}/loop/backing_file`).trim()
    return file.includes(token) ? [`loop device ${name} on ${file}`] : []
  })
}

function leakedNames(dir: string, token: string, kind: string): string[] {
  return tryList(dir)
    .filter(({ name }) => name.includes(token))
    .map(({ name }) => `${kind} ${join(dir, name)}`)
}

/** Everything below is read while it may disappear: what is gone is not a leak. */
function processIds(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
}

function tryList(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
  } catch {
    return []
  }
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function tryReadlink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
