import assert from 'node:assert/strict'
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe as explain, type Result } from '../harness/process.ts'
import { type Bundle, type RuntimeSubject, describeRuntime, isOurs } from './subject.ts'

/** A bundle spoiled in one way, and what our sentence has to say about it. */
interface BadBundle {
  readonly what: string
  readonly spoil: (bundle: Bundle) => void
  /** Each has to appear in the sentence: where, what was found, what was wanted. */
  readonly facts: readonly RegExp[]
}

/** Replaces the value at a JSON pointer. */
function at(pointer: string, value: unknown): (bundle: Bundle) => void {
  return ({ dir }) => {
    const file = join(dir, 'config.json')
    const document = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    const parts = pointer.split('/').slice(1)
    const last = parts.pop() ?? ''
    let place: Record<string, unknown> = document
    for (const part of parts) place = place[part] as Record<string, unknown>
    if (value === undefined) Reflect.deleteProperty(place, last)
    else place[last] = value
    writeFileSync(file, JSON.stringify(document))
  }
}

function config(text: string): (bundle: Bundle) => void {
  return ({ dir }) => {
    writeFileSync(join(dir, 'config.json'), text)
  }
}

const BAD_BUNDLES: readonly BadBundle[] = [
  {
    what: 'no config.json',
    spoil: ({ dir }) => {
      rmSync(join(dir, 'config.json'))
    },
    facts: [/config\.json/, /ENOENT|no such file|not found/],
  },
  { what: 'config.json is empty', spoil: config(''), facts: [/config\.json/] },
  {
    what: 'config.json is not JSON',
    spoil: config('{"ociVersion": '),
    facts: [/config\.json/, /JSON|line \d+/],
  },
  { what: 'config.json is a list', spoil: config('[]'), facts: [/config\.json/, /object/] },
  {
    what: 'args is a string',
    spoil: at('/process/args', 'sh'),
    facts: [/\/process\/args/, /found.*(string|"sh")/, /want.*(array|list)/],
  },
  {
    what: 'an argument is a number',
    spoil: at('/process/args', ['sh', 5]),
    facts: [/\/process\/args\/1/, /found.*(number|5)/, /want.*(string|text)/],
  },
  {
    what: 'args is empty',
    spoil: at('/process/args', []),
    facts: [/\/process\/args/, /found.*(empty|0|\[\])|want at least one/],
  },
  {
    what: 'uid is a string',
    spoil: at('/process/user/uid', 'root'),
    facts: [/\/process\/user\/uid/, /found.*(string|root)/, /want.*(number|integer)/],
  },
  {
    what: 'uid is negative',
    spoil: at('/process/user/uid', -1),
    facts: [/\/process\/user\/uid/, /found.*-1/],
  },
  {
    what: 'an unknown namespace type',
    spoil: at('/linux/namespaces', [{ type: 'mount' }, { type: 'galaxy' }]),
    facts: [/\/linux\/namespaces\/1/, /found.*galaxy/, /want.*pid/],
  },
  {
    what: 'the same namespace twice',
    spoil: at('/linux/namespaces', [{ type: 'mount' }, { type: 'pid' }, { type: 'pid' }]),
    facts: [/\/linux\/namespaces\/2/, /pid/],
  },
  {
    what: 'an unknown resource limit',
    spoil: at('/process/rlimits', [{ type: 'RLIMIT_MOOD', soft: 1, hard: 1 }]),
    facts: [/\/process\/rlimits\/0/, /RLIMIT_MOOD/],
  },
  {
    what: 'no root file system',
    spoil: ({ rootfs }) => {
      renameSync(rootfs, `${rootfs}.away`)
    },
    facts: [/rootfs/, /ENOENT|no such file|not found/],
  },
  {
    what: 'the root file system is a file',
    spoil: ({ rootfs }) => {
      renameSync(rootfs, `${rootfs}.away`)
      writeFileSync(rootfs, '')
    },
    facts: [/rootfs/, /not a directory|ENOTDIR|want.*directory/],
  },
  {
    what: 'root is missing',
    spoil: at('/root', undefined),
    facts: [/\/root/],
  },
  {
    what: 'the working directory is relative',
    spoil: at('/process/cwd', 'tmp'),
    facts: [/\/process\/cwd/, /found.*tmp/, /want.*absolute/],
  },
  {
    what: 'a bind mount whose source is missing',
    spoil: at('/mounts', [
      { destination: '/mnt', type: 'bind', source: '/does/not/exist', options: ['bind'] },
    ]),
    facts: [/\/does\/not\/exist/, /ENOENT|no such file|not found/],
  },
  {
    what: 'an unknown file system type',
    spoil: at('/mounts', [{ destination: '/tmp', type: 'nosuchfs', source: 'x' }]),
    facts: [/nosuchfs/, /ENODEV|no such device|unknown/],
  },
  {
    what: 'an unknown seccomp action',
    spoil: at('/linux/seccomp', { defaultAction: 'SCMP_ACT_SHRUG' }),
    facts: [/\/linux\/seccomp\/defaultAction/, /SCMP_ACT_SHRUG/],
  },
  {
    what: 'a hook that does not exist',
    spoil: at('/hooks', { createRuntime: [{ path: '/does/not/exist' }] }),
    facts: [/\/does\/not\/exist/],
  },
  {
    what: 'a memory limit in words',
    spoil: at('/linux/resources', { memory: { limit: '64M' } }),
    facts: [/\/linux\/resources\/memory\/limit/, /found.*(string|64M)/, /want.*(number|integer)/],
  },
]

function assertSentence(result: Result, facts: readonly RegExp[]): void {
  const lines = result.stderr.split('\n').filter((line) => line !== '')
  assert.ok(lines.length >= 1, explain(result, 'said nothing'))
  assert.doesNotMatch(result.stderr, /\n\s+at .*:\d+:\d+/, explain(result, 'printed a stack'))
  for (const fact of facts)
    assert.match(result.stderr, fact, explain(result, `lacks ${String(fact)}`))
}

/** The peer only has to fail cleanly; ours has to say the facts in a sentence. */
function assertRefusal(result: Result, facts: readonly RegExp[]): void {
  assert.notEqual(result.exitCode, 0, explain(result, 'succeeded'))
  // 255 is how runc's exec fails; anything else from 128 up is a death by a signal.
  assert.ok(result.exitCode < 128 || (!isOurs && result.exitCode === 255), explain(result, 'died'))
  assertSentence(result, isOurs ? facts : [])
}

describeRuntime('bad input gets a sentence and leaves nothing: the bundle', (subject) => {
  for (const { what, spoil, facts } of BAD_BUNDLES)
    for (const verb of ['create', 'run'])
      it(`${verb}: ${what}`, async () => {
        const runtime = subject()
        const bundle = await runtime.bundle()
        spoil(bundle)
        assertRefusal(await runtime.run([verb, '--bundle', bundle.dir, runtime.newId()]), facts)
        assert.deepEqual(runtime.remembered(), [])
      })

  it('create: the bundle does not exist', async () => {
    const runtime = subject()
    const missing = runtime.workspace.path('nowhere')
    assertRefusal(await runtime.run(['create', '--bundle', missing, runtime.newId()]), [
      /nowhere/,
      /ENOENT|no such file|not found/,
    ])
    assert.deepEqual(runtime.remembered(), [])
  })
})

describeRuntime('bad input gets a sentence and leaves nothing: the id', (subject) => {
  for (const id of [
    'with/slash',
    '../up',
    '..',
    '.',
    '',
    'white space',
    'new\nline',
    'nul\u0001',
    'ü',
  ])
    it(`refuses ${JSON.stringify(id)}`, async () => {
      const runtime = subject()
      const { dir } = await runtime.bundle()
      assertRefusal(await runtime.run(['create', '--bundle', dir, id]), [/id/i])
      assert.deepEqual(runtime.remembered(), [])
    })

  it('refuses an id that is in use and leaves its owner alone', async () => {
    const runtime = subject()
    const { id, bundle } = await runtime.holding()
    assertRefusal(await runtime.run(['create', '--bundle', bundle.dir, id]), [
      new RegExp(id),
      /exists|in use/,
    ])
    assert.equal((await runtime.state(id)).status, 'running')
  })

  for (const verb of [['state'], ['start'], ['delete'], ['kill'], ['exec'], ['ps']])
    it(`${verb.join(' ')} of an unknown container`, async () => {
      const runtime = subject()
      const id = runtime.workspace.newId()
      const more = verb[0] === 'exec' ? ['/bin/true'] : []
      assertRefusal(await runtime.run([...verb, id, ...more]), [
        new RegExp(id),
        /not exist|not found|no such/,
      ])
    })
})

describeRuntime('bad input gets a sentence and leaves nothing: the program', (subject) => {
  const runs = async (
    runtime: RuntimeSubject,
    args: string[],
    prepare: (bundle: Bundle) => void = () => undefined,
  ) => {
    const bundle = await runtime.bundle((spec) => {
      spec.process.args = args
    })
    prepare(bundle)
    return await runtime.run(['run', '--bundle', bundle.dir, runtime.newId()])
  }

  /** runc 1.1.5 answers 1 (exec: 255) when the failure happens before execve; ours follows the shell. */
  const assertCode = (result: Result, code: number): void => {
    assert.ok(
      isOurs ? result.exitCode === code : [1, 255, code].includes(result.exitCode),
      explain(result, `want ${String(code)}`),
    )
  }

  it('a program that is not in PATH is 127', async () => {
    const runtime = subject()
    const result = await runs(runtime, ['no-such-program'])
    assertCode(result, 127)
    assertRefusal(result, [/no-such-program/, /PATH|not found/])
    assert.deepEqual(runtime.remembered(), [])
  })

  it('a path that does not exist is 127', async () => {
    const runtime = subject()
    const result = await runs(runtime, ['/no/such/program'])
    assertCode(result, 127)
    assertRefusal(result, [/\/no\/such\/program/])
    assert.deepEqual(runtime.remembered(), [])
  })

  it('a file that is not executable is 126', async () => {
    const runtime = subject()
    const result = await runs(runtime, ['/etc/plain'], ({ rootfs }) => {
      writeFileSync(join(rootfs, 'etc/plain'), 'text\n')
      chmodSync(join(rootfs, 'etc/plain'), 0o644)
    })
    assertCode(result, 126)
    assertRefusal(result, [/\/etc\/plain/, /permission denied|not executable|EACCES/])
    assert.deepEqual(runtime.remembered(), [])
  })

  it('a directory is 126', async () => {
    const runtime = subject()
    const result = await runs(runtime, ['/etc'])
    assertCode(result, 126)
    assert.deepEqual(runtime.remembered(), [])
  })

  it('exec of a missing program is 127 and the container lives on', async () => {
    const runtime = subject()
    const { id } = await runtime.holding()
    const result = await runtime.run(['exec', id, 'no-such-program'])
    assertCode(result, 127)
    assertRefusal(result, [/no-such-program/])
    assert.equal((await runtime.state(id)).status, 'running')
  })
})

describeRuntime('bad input gets a sentence and leaves nothing: the command line', (subject) => {
  for (const [what, args] of [
    ['no container id', ['create']],
    ['too many arguments', ['state', 'one', 'two']],
    ['an unknown option', ['run', '--no-such-option', 'x']],
    ['an unknown command', ['no-such-command']],
  ] as const)
    it(what, async () => {
      const runtime = subject()
      const result = await runtime.run([...args], { cwd: runtime.workspace.dir })
      // runc 1.1.5 prints its help for an unknown command on standard output and exits 3.
      assert.notEqual(result.exitCode, 0)
      assert.ok(result.exitCode < 128)
      assert.deepEqual(runtime.remembered(), [])
    })

  it('a --root that is a file', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle()
    const file = runtime.workspace.path('runtime')
    writeFileSync(file, '')
    const result = await runtime.run(['create', '--bundle', dir, runtime.workspace.newId()])
    assertRefusal(result, [/runtime/, /not a directory|ENOTDIR|file exists|EEXIST/])
    rmSync(file)
  })

  it('--log and --log-format json write the failure for a machine', async () => {
    const runtime = subject()
    const { dir } = await runtime.bundle()
    rmSync(join(dir, 'config.json'))
    const log = runtime.workspace.path('log.json')
    const result = await runtime.run([
      '--log',
      log,
      '--log-format',
      'json',
      'create',
      '--bundle',
      dir,
      runtime.newId(),
    ])
    assert.notEqual(result.exitCode, 0)
    const entries = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const failure = entries.find((entry) => entry['level'] === 'error')
    assert.match(String(failure?.['msg']), /config\.json/)
    assert.ok(Number.isFinite(Date.parse(String(failure?.['time']))))
  })
})
