import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { decodeReport, type InitFailure } from '../../../native/init-report.ts'
import { STEPS } from '../../../native/generated/operations.ts'
import type { Plan } from '../../plan/plan.ts'
import { errorOfInitFailure, ExecutableError } from '../init-failure.ts'

function planOf(...operations: Plan['operations']): Plan {
  return { cloneFlags: 0, namespacePaths: [], forks: false, operations }
}

function record(step: (typeof STEPS)[number], errnoNumber: number, detail: string): InitFailure {
  const head = Buffer.alloc(16)
  head.writeUInt32LE(1, 0)
  head.writeUInt32LE(0, 4)
  head.writeUInt32LE(STEPS.indexOf(step), 8)
  head.writeInt32LE(errnoNumber, 12)
  const report = decodeReport({ data: Buffer.concat([head, Buffer.from(detail)]), fds: [] })
  assert.equal(report?.kind, 'failure')
  return report
}

const { ENOENT, EACCES, ENOEXEC, EPERM } = constants.errno

describe('failure records of berth-init', () => {
  it('names the operation, the step, the path and the errno', () => {
    const plan = planOf({ op: 'openRootfs', path: '/bundle/rootfs' })
    const error = errorOfInitFailure(record('open', ENOENT, '/bundle/rootfs'), plan, 'c1')
    assert.equal(
      error.message,
      'create container process c1 at open rootfs, open: /bundle/rootfs: no such file or directory (ENOENT)',
    )
    assert.equal(error.code, 'notFound')
  })

  it('says what a limit would need', () => {
    const plan = planOf({ op: 'setRlimit', resource: 7, soft: 1n, hard: 99999n })
    const error = errorOfInitFailure(record('setrlimit', EPERM, ''), plan, 'c1')
    assert.match(error.message, /CAP_SYS_RESOURCE/)
  })

  for (const [errno, name, exitCode, words] of [
    [ENOENT, 'foo', 127, 'exec: "foo": executable file not found in $PATH'],
    [ENOENT, '/foo', 127, 'exec: "/foo": stat /foo: no such file or directory'],
    [EACCES, '/etc/passwd', 126, 'exec: "/etc/passwd": permission denied'],
    [ENOEXEC, '/data', 126, 'exec: "/data": exec format error'],
  ] as const) {
    it(`gives ${String(exitCode)} for ${words}`, () => {
      const plan = planOf({ op: 'execute', argv: [name], env: [] })
      const error = errorOfInitFailure(record('find executable', errno, name), plan, 'c1')
      assert.ok(error instanceof ExecutableError)
      assert.equal(error.exitCode, exitCode)
      assert.equal(error.message, words)
    })
  }

  it('tells how a hook ended', () => {
    const plan = planOf({ op: 'newSession' })
    assert.match(
      errorOfInitFailure(record('hook exit', 3 << 8, '/hook'), plan, 'c1').message,
      /\/hook: found exit code 3/,
    )
    assert.match(
      errorOfInitFailure(record('hook exit', 9, '/hook'), plan, 'c1').message,
      /found death by signal 9/,
    )
  })

  it('takes bytes that are no report for none', () => {
    assert.equal(decodeReport({ data: Buffer.from('short'), fds: [] }), undefined)
    assert.equal(decodeReport({ data: Buffer.alloc(16, 0xff), fds: [] }), undefined)
  })
})
