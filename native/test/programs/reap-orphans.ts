/**
 * Run by orphans.test.ts: reaping orphans changes the whole process, so it has one of its own. Prints what it
 * found as JSON.
 */
import { closeSync, readFileSync, readSync } from 'node:fs'
import { errnoOf } from '../../../proto/errors/platform-error.ts'
import type { ProcessExit } from '../../binding.ts'
import { native } from '../../binding.ts'
import { exitOf, finish, readable, shell } from '../support.ts'

/** Orphans wait for its end of file. */
let gate = native().pipe()

function openGate(): void {
  closeSync(gate[1])
  closeSync(gate[0])
  gate = native().pipe()
}

/** A process whose parent has ended before it, so that it is ours now. */
async function orphan(exitCode: number): Promise<number> {
  const [readEnd, writeEnd] = native().pipe()
  const parent = shell(`sh -c "read go; exit ${String(exitCode)}" <&3 & echo $!`, {
    fds: [-1, writeEnd, -1, gate[0]],
  })
  await finish(parent)
  const line = Buffer.alloc(32)
  const pid = Number(line.toString('utf8', 0, readSync(readEnd, line)))
  closeSync(readEnd)
  closeSync(writeEnd)
  return native().pidfdOpen(pid)
}

/** A signal reaches a zombie, but nobody once it has been reaped. */
function isReaped(pidfd: number): boolean {
  try {
    native().pidfdSendSignal(pidfd, 0)
    return false
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return true
    throw error
  }
}

/** Lets the native thread go round until all are reaped. */
async function untilReaped(...pidfds: readonly number[]): Promise<void> {
  while (!pidfds.every(isReaped)) await finish(shell('true'))
}

const codeOf = (exit: ProcessExit): number | undefined =>
  exit.kind === 'exited' ? exit.exitCode : undefined

native().setChildSubreaper()
native().reapOrphans()

const plain = [await orphan(11), await orphan(12)]
openGate()
await untilReaped(...plain)

// What spawn started is somebody's, watched or not yet, and an orphan may have to wait behind it.
const unwatched = shell('exit 21')
await readable(unwatched.pidfd)
const behind = await orphan(13)
openGate()
await readable(behind)
await finish(shell('true'))
const unwatchedIsReaped = isReaped(unwatched.pidfd)
const unwatchedCode = codeOf(await exitOf(unwatched.pidfd))
await untilReaped(behind)

const adopted = await orphan(31)
const adoptedExit = exitOf(adopted)
openGate()
const adoptedCode = codeOf(await adoptedExit)

native().holdOrphans()
native().holdOrphans()
const held = [await orphan(41), await orphan(42)] as const
openGate()
native().releaseOrphans()
await readable(held[0])
await readable(held[1])
await finish(shell('true'))
const heldAreReaped = held.map(isReaped)
const heldCode = codeOf(await exitOf(held[0]))
native().releaseOrphans()
await untilReaped(held[1])

process.stdout.write(
  JSON.stringify({
    unwatchedIsReaped,
    unwatchedCode,
    adoptedCode,
    heldAreReaped,
    heldCode,
    childrenLeft: readFileSync(`/proc/self/task/${String(process.pid)}/children`, 'utf8'),
  }),
)
