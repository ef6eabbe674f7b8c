import assert from 'node:assert/strict'
import { parseProcessDocument } from '../../spec/parse.ts'
import { overrideProcess, parseUserIds, type ProcessOverrides } from '../exec-process.ts'

const PROCESS = parseProcessDocument(
  JSON.stringify({
    terminal: true,
    args: ['sh'],
    cwd: '/w',
    env: ['A=1'],
    user: { uid: 5, gid: 6, additionalGids: [7] },
    capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'] },
    noNewPrivileges: true,
  }),
).value

const NONE: ProcessOverrides = {
  tty: undefined,
  user: undefined,
  'additional-gids': [],
  cwd: undefined,
  env: [],
  cap: [],
  'no-new-privs': undefined,
  apparmor: undefined,
  'process-label': undefined,
}

describe('overrideProcess', () => {
  it('keeps what the container has, but for command and terminal', () => {
    const process = overrideProcess(PROCESS, ['ls', '-l'], NONE)
    assert.deepEqual(process, { ...PROCESS, args: ['ls', '-l'], terminal: false })
  })

  it('changes what the flags say', () => {
    const process = overrideProcess(PROCESS, ['ls'], {
      ...NONE,
      tty: true,
      user: '1:2',
      'additional-gids': [8],
      cwd: '/',
      env: ['A=2'],
    })
    assert.equal(process.terminal, true)
    assert.deepEqual(process.user, { uid: 1, gid: 2, umask: undefined, additionalGids: [7, 8] })
    assert.equal(process.cwd, '/')
    assert.deepEqual(process.env, ['A=1', 'A=2'])
  })

  it('adds capabilities, but never inheritable or ambient ones (S-10)', () => {
    const { capabilities } = overrideProcess(PROCESS, ['ls'], { ...NONE, cap: ['CAP_NET_RAW'] })
    assert.deepEqual(capabilities.effective, ['CAP_KILL', 'CAP_NET_RAW'])
    assert.deepEqual(capabilities.bounding, ['CAP_KILL', 'CAP_NET_RAW'])
    assert.deepEqual(capabilities.inheritable, [])
    assert.deepEqual(capabilities.ambient, [])
  })

  for (const [what, args, overrides] of [
    ['no command', [], {}],
    ['a relative cwd', ['x'], { cwd: 'tmp' }],
    ['an env without =', ['x'], { env: ['A'] }],
    ['an env without name', ['x'], { env: ['=A'] }],
    ['an unknown capability', ['x'], { cap: ['CAP_FLY'] }],
    ['a group that is none', ['x'], { 'additional-gids': [-1] }],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => overrideProcess(PROCESS, args, { ...NONE, ...overrides }), {
        code: 'invalidArgument',
      })
    })
  }
})

describe('parseUserIds (S-20)', () => {
  for (const [text, ids] of [
    ['0', { uid: 0 }],
    ['1', { uid: 1 }],
    ['1:2', { uid: 1, gid: 2 }],
    ['4294967294', { uid: 4294967294 }],
  ] as const) {
    it(`reads ${text}`, () => {
      assert.deepEqual(parseUserIds(text), ids)
    })
  }

  for (const text of [
    '',
    ':',
    '1:',
    ':2',
    '01',
    '+1',
    '-1',
    '4294967295',
    '4294967296',
    '1e3',
    '0x1',
    ' 1',
    '1 ',
    '１',
    '1:2:3',
    'root',
    '1\n',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseUserIds(text), { code: 'invalidArgument' })
    })
  }
})
