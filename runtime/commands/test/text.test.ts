import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RUNTIME_VERSION } from '../../version.ts'
import { formatLine } from '../log.ts'
import { selectProcesses } from '../ps.ts'
import { parseSignal } from '../signals.ts'
import { formatTable } from '../table.ts'

describe('parseSignal', () => {
  for (const [text, number] of [
    ['KILL', 9],
    ['SIGKILL', 9],
    ['sigterm', 15],
    ['9', 9],
    ['RTMIN', 34],
    ['SIGRTMIN+3', 37],
    ['RTMAX-1', 63],
  ] as const) {
    it(`${text} is ${String(number)}`, () => {
      assert.equal(parseSignal(text), number)
    })
  }

  for (const text of ['', '0', '65', '-9', '9x', 'SIG', 'toString', 'RTMIN+40', 'SIGSIGKILL']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseSignal(text), { code: 'invalidArgument' })
    })
  }
})

describe('formatLine', () => {
  const time = new Date('2026-11-21T00:00:00Z')

  it('writes JSON as containerd reads it', () => {
    assert.deepEqual(JSON.parse(formatLine('json', 'error', 'a "b"\nc', time)), {
      level: 'error',
      msg: 'a "b"\nc',
      time: '2026-11-21T00:00:00.000Z',
    })
  })

  it('writes text as logrus does, on one line', () => {
    assert.equal(
      formatLine('text', 'warning', 'a "b"\nc', time),
      'time="2026-11-21T00:00:00.000Z" level=warning msg="a \\"b\\"\\nc"\n',
    )
  })
})

describe('formatTable', () => {
  it('aligns like runc', () => {
    assert.equal(
      formatTable([
        ['ID', 'STATUS', 'X'],
        ['a-long-identifier', 'up', 'y'],
      ]),
      'ID                  STATUS      X\na-long-identifier   up          y\n',
    )
  })
})

describe('selectProcesses', () => {
  const output = 'UID        PID  PPID CMD\nroot         1     0 init\nroot        12     1 sh 7\n'

  it('keeps the header and the lines of the processes', () => {
    assert.equal(
      selectProcesses(output, new Set([12, 7])),
      'UID        PID  PPID CMD\nroot        12     1 sh 7\n',
    )
  })

  it('needs a PID column', () => {
    assert.throws(() => selectProcesses('CMD\nx\n', new Set()), { code: 'invalidArgument' })
  })
})

describe('RUNTIME_VERSION', () => {
  it('is that of the package', () => {
    const root = import.meta.dirname.split('/build/')[0] ?? ''
    const text = readFileSync(join(root, 'package.json'), 'utf8')
    assert.equal((JSON.parse(text) as { version: unknown }).version, RUNTIME_VERSION)
  })
})
