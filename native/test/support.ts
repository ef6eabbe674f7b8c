/** What the addon's tests share: nothing they open or start may be left over. */
import assert from 'node:assert/strict'
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  readSync,
  readdirSync,
  readlinkSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from '../../proto/errors/platform-error.ts'
import type { ProcessExit, SpawnOptions, SpawnedProcess } from '../binding.ts'
import { native } from '../binding.ts'

/** Skips a test unless the condition holds; the reason is added to its title, where the list of skips shows it. */
export function skipUnless(condition: boolean, context: Mocha.Context, reason: string): void {
  if (condition) return
  const test = context.currentTest ?? context.runnable()
  test.title += ` (${reason})`
  context.skip()
}

export function needRoot(context: Mocha.Context): void {
  skipUnless(process.geteuid?.() === 0, context, 'needs root')
}

/** Open descriptors and what they are. */
function openDescriptors(): readonly string[] {
  return readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`]
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return [] // the directory's own
        throw error
      }
    })
    .sort()
}

/** Makes every test of the suite fail that leaves a descriptor open. */
export function checkDescriptors(): void {
  let before: readonly string[] = []
  beforeEach(async () => {
    await startLoop()
    before = openDescriptors()
  })
  afterEach(() => {
    assert.deepEqual(openDescriptors(), before)
  })
}

/** The native thread has two descriptors of its own, from its start on. */
async function startLoop(): Promise<void> {
  const fd = native().eventfd()
  native().watchReadable(fd, () => undefined)
  native().unwatchReadable(fd)
  closeSync(fd)
  await Promise.resolve()
}

export function closeAll(...fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd)
}

export function exitOf(pidfd: number): Promise<ProcessExit> {
  return new Promise((resolve) => {
    native().watchExit(pidfd, resolve)
  })
}

/** Waits for the end of a spawned process and closes its pidfd. */
export async function finish({ pidfd }: SpawnedProcess): Promise<ProcessExit> {
  const exit = await exitOf(pidfd)
  closeSync(pidfd)
  return exit
}

export function readable(fd: number): Promise<void> {
  return new Promise((resolve) => {
    native().watchReadable(fd, resolve)
  })
}

/** Reads to the end and closes. */
export async function drain(fd: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  const chunk = Buffer.alloc(65_536)
  for (;;) {
    await readable(fd)
    const size = readSync(fd, chunk)
    if (size === 0) break
    chunks.push(Buffer.from(chunk.subarray(0, size)))
  }
  closeSync(fd)
  return Buffer.concat(chunks)
}

const PATH = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin'

/** A shell command without standard streams. */
export function shell(command: string, options: Partial<SpawnOptions> = {}): SpawnedProcess {
  return native().spawn({
    executable: '/bin/sh',
    argv: ['sh', '-c', command],
    env: [PATH],
    fds: [-1, -1, -1],
    ...options,
  })
}

/** What a shell command prints on its standard output and error. */
export async function outputOf(
  command: string,
  options: Partial<SpawnOptions> = {},
): Promise<string> {
  const [readEnd, writeEnd] = native().pipe()
  const child = shell(command, { fds: [-1, writeEnd, writeEnd], ...options })
  closeSync(writeEnd)
  const output = await drain(readEnd)
  await finish(child)
  return output.toString()
}

/** A directory that is gone after the test. */
export function scratchDirectory(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'berth-native-'))
  return {
    path,
    [Symbol.dispose]: () => {
      rmSync(path, { recursive: true })
    },
  }
}

export function isOpen(fd: number): boolean {
  try {
    fstatSync(fd)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EBADF') return false
    throw error
  }
}
