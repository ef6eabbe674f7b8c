import assert from 'node:assert/strict'
import { parseZombieExit } from '../bootstrap/process-end.ts'

/** A line of /proc/PID/stat with 52 fields. */
const stat = (name: string, state: string, waitStatus: number): string =>
  `7 (${name}) ${state} ${Array.from({ length: 48 }, () => '0').join(' ')} ${String(waitStatus)}\n`

describe('proc_pid_stat(5) exit_code', () => {
  it('is an exit code in the second byte', () => {
    assert.deepEqual(parseZombieExit(stat('sh', 'Z', 7 << 8), 1n), {
      kind: 'exited',
      exitCode: 7,
      exitedAtNs: 1n,
    })
  })

  it('is a signal in the low bits, with or without a core', () => {
    const killed = { kind: 'signaled', signal: 11, exitedAtNs: 1n }
    assert.deepEqual(parseZombieExit(stat('sh', 'Z', 11), 1n), killed)
    assert.deepEqual(parseZombieExit(stat('sh', 'Z', 11 | 0x80), 1n), killed)
  })

  it('means nothing while the process lives', () => {
    assert.equal(parseZombieExit(stat('sh', 'S', 0), 1n), undefined)
  })

  it('is found behind a name with brackets and spaces', () => {
    assert.equal(parseZombieExit(stat(') Z 1 (', 'S', 0), 1n), undefined)
    assert.equal(parseZombieExit(stat(') S 1 (', 'Z', 256), 1n)?.kind, 'exited')
  })
})
