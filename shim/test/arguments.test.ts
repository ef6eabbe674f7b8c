import assert from 'node:assert/strict'
import { parseArguments } from '../bootstrap/arguments.ts'

describe('shim command line', () => {
  it('reads what containerd passes to start', () => {
    const line =
      '-namespace default -address /run/c.sock -publish-binary /usr/bin/containerd -id c1 -debug start'
    assert.deepEqual(parseArguments(line.split(' ')), {
      command: 'start',
      namespace: 'default',
      address: '/run/c.sock',
      publishBinary: '/usr/bin/containerd',
      id: 'c1',
      bundle: '',
      socket: '',
      isDebug: true,
    })
  })

  for (const words of [['-id', 'a'], ['--id', 'a'], ['-id=a'], ['--id=a']]) {
    it(`takes a value as ${words.join(' ')}`, () => {
      assert.equal(parseArguments([...words, 'delete']).id, 'a')
    })
  }

  it('keeps an = that belongs to the value', () => {
    assert.equal(parseArguments(['-address=/run/a=b.sock']).address, '/run/a=b.sock')
  })

  for (const [words, command] of [
    [[], 'serve'],
    [['start'], 'start'],
    [['delete'], 'delete'],
    [['-info'], 'info'],
    [['-v'], 'version'],
    [['-id', 'a', '--', 'start'], 'start'],
  ] as const) {
    it(`is ${command} for [${words.join(' ')}]`, () => {
      assert.equal(parseArguments(words).command, command)
    })
  }

  it('stops reading flags at the command, as Go does', () => {
    assert.equal(parseArguments(['start', '-debug']).isDebug, false)
  })

  it('turns a switch off with =false', () => {
    assert.equal(parseArguments(['-debug=false']).isDebug, false)
  })

  for (const [words, message] of [
    [['-bogus'], /found flag -bogus, want one of -namespace/],
    [['-id'], /found -id without a value/],
    [['-debug=maybe'], /found -debug=maybe, want true or false/],
    [['stop'], /found command stop, want start, delete or none/],
  ] as const) {
    it(`refuses [${words.join(' ')}]`, () => {
      assert.throws(() => parseArguments(words), { code: 'invalidArgument', message })
    })
  }
})
