/** Run by loop.test.ts: everything the native thread serves has been used, and nothing is pending any more. */
import { closeSync } from 'node:fs'
import { native } from '../../binding.ts'
import { finish, readable, shell } from '../support.ts'

await finish(shell('true'))
const [readEnd, writeEnd] = native().pipe()
closeSync(writeEnd)
await readable(readEnd)
native().watchReadable(readEnd, () => undefined)
native().unwatchReadable(readEnd)
const [a] = native().socketpair()
native().watchReadable(a, () => undefined)
native().unwatchReadable(a)
native().reapOrphans()
process.stdout.write('done')
process.exitCode = 0
