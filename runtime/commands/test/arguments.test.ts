import assert from 'node:assert/strict'
import { type FlagTable, parseArguments } from '../arguments.ts'

const TABLE = {
  bundle: { kind: 'string', short: 'b', help: '' },
  detach: { kind: 'boolean', short: 'd', help: '' },
  'preserve-fds': { kind: 'integer', help: '' },
  env: { kind: 'strings', short: 'e', help: '' },
  'additional-gids': { kind: 'integers', short: 'g', help: '' },
} as const satisfies FlagTable

describe('parseArguments', () => {
  for (const args of [
    ['--bundle', '/b', 'c1'],
    ['--bundle=/b', 'c1'],
    ['-bundle', '/b', 'c1'],
    ['-b', '/b', 'c1'],
    ['-b=/b', 'c1'],
    ['c1', '-b', '/b'],
    ['-b', '/a', '-b', '/b', 'c1'],
    ['-b', '/b', '--', 'c1'],
  ]) {
    it(`reads ${args.join(' ')}`, () => {
      const { flags, positionals } = parseArguments(args, TABLE)
      assert.equal(flags.bundle, '/b')
      assert.deepEqual(positionals, ['c1'])
    })
  }

  it('takes a value that looks like a flag', () => {
    assert.equal(parseArguments(['-b', '--x'], TABLE).flags.bundle, '--x')
    assert.equal(parseArguments(['--bundle='], TABLE).flags.bundle, '')
    assert.equal(parseArguments(['--bundle=a=b'], TABLE).flags.bundle, 'a=b')
  })

  it('collects what may be repeated', () => {
    const { flags } = parseArguments(['-e', 'A=b,c', '--env=D=e', '-g', '1', '-g', '2'], TABLE)
    assert.deepEqual(flags.env, ['A=b,c', 'D=e'])
    assert.deepEqual(flags['additional-gids'], [1, 2])
  })

  it('leaves out what was not given', () => {
    const { flags } = parseArguments([], TABLE)
    assert.deepEqual(flags, {
      bundle: undefined,
      detach: undefined,
      'preserve-fds': undefined,
      env: [],
      'additional-gids': [],
    })
  })

  it('reads booleans with and without a value', () => {
    assert.equal(parseArguments(['-d'], TABLE).flags.detach, true)
    assert.equal(parseArguments(['--detach=false'], TABLE).flags.detach, false)
    assert.deepEqual(parseArguments(['-d', 'false'], TABLE).positionals, ['false'])
  })

  it('stops at the first positional where the rest belongs to a program', () => {
    const { flags, positionals } = parseArguments(['-d', 'c1', 'ls', '-b', '--', 'x'], TABLE, {
      stopAtPositional: true,
    })
    assert.equal(flags.detach, true)
    assert.equal(flags.bundle, undefined)
    assert.deepEqual(positionals, ['c1', 'ls', '-b', '--', 'x'])
  })

  it('takes ids that begin with - after --', () => {
    assert.deepEqual(parseArguments(['--', '-x'], TABLE).positionals, ['-x'])
  })

  for (const help of ['-h', '--help', '-help']) {
    it(`knows ${help}`, () => {
      assert.equal(parseArguments([help], TABLE).isHelp, true)
    })
  }

  for (const [args, message] of [
    [['--nope'], /flag provided but not defined: -nope/],
    [['--__proto__'], /flag provided but not defined: -__proto__/],
    [['-b'], /flag needs an argument: -b/],
    [['--preserve-fds', '1e3'], /invalid value "1e3" for flag -preserve-fds/],
    [['--preserve-fds', '0x1'], /invalid value/],
    [['-g', ''], /invalid value/],
    [['--detach=maybe'], /invalid value "maybe" for flag -detach/],
  ] as const) {
    it(`refuses ${args.join(' ')}`, () => {
      assert.throws(() => parseArguments(args, TABLE), message)
    })
  }
})
