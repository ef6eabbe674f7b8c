/**
 * Our own client, berthctl. It speaks containerd's API, so everything that does not need the transfer
 * service (pull and import, which containerd 1.6 lacks) has to work against containerd as well.
 */
import assert from 'node:assert/strict'

import { need } from '../harness/needs.ts'
import { type Result, type StartOptions, describe as explain, run } from '../harness/process.ts'
import { isExecutable, programs } from '../harness/programs.ts'
import { startRegistry } from '../harness/registry.ts'
import { quoted, startOnTerminal } from '../harness/terminal.ts'
import { until } from '../harness/until.ts'
import { IMAGE_TIMEOUT_MS, realImage, smallImage } from '../images/image-cache.ts'
import {
  BUSYBOX,
  PATIENT,
  type ManagerSubject,
  assertRefused,
  describeManager,
  isOurs,
} from './subject.ts'

const NO_TRANSFER = 'containerd 1.6 has no transfer service'

function berthctl(
  subject: ManagerSubject,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Result> {
  return run(programs.berthctl, ['--address', subject.manager.address, ...args], {
    env: subject.workspace.env,
    ...options,
  })
}

async function ok(
  subject: ManagerSubject,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Result> {
  const result = await berthctl(subject, args, options)
  assert.equal(result.exitCode, 0, explain(result, 'want exit code 0'))
  return result
}

describeManager('berthctl', (subject) => {
  before(() => {
    if (!isExecutable(programs.berthctl))
      throw new Error(`${programs.berthctl} is not there: build it first`)
  })

  it('pull fetches and unpacks an image from a registry, run runs it', async function () {
    this.timeout(IMAGE_TIMEOUT_MS)
    need(this, isOurs, NO_TRANSFER)
    const { host } = await startRegistry(subject().workspace, (await realImage()).registryStore)
    await ok(subject(), ['pull', '--plain-http', `${host}/debian:test`])
    const result = await berthctl(subject(), [
      'run',
      '--rm',
      '--name',
      subject().newId(),
      `${host}/debian:test`,
      'sh',
      '-c',
      '. /etc/os-release; echo $ID; exit 7',
    ])
    assert.equal(result.stdout, 'debian\n', explain(result, 'wrong output'))
    assert.equal(result.exitCode, 7)
    await ok(subject(), ['rmi', `${host}/debian:test`])
    assert.doesNotMatch((await ok(subject(), ['images'])).stdout, /debian:test/)
  })

  it('import takes an archive in', async function () {
    need(this, isOurs, NO_TRANSFER)
    await ok(subject(), ['import', (await smallImage()).archive])
    assert.match((await ok(subject(), ['images'])).stdout, /localhost\/busybox:test/)
  })

  it('images lists what is there', async () => {
    assert.match((await ok(subject(), ['images'])).stdout, /localhost\/busybox:test/)
  })

  it('run prints what the program prints and passes on its exit code', async () => {
    const result = await berthctl(subject(), [
      'run',
      '--rm',
      '--name',
      subject().newId(),
      BUSYBOX,
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    ])
    assert.deepEqual([result.stdout, result.stderr, result.exitCode], ['out\n', 'err\n', 7])
    assert.deepEqual(await subject().manager.containers(), [])
  })

  it('run -i connects standard input and its end', async () => {
    const { stdout } = await ok(
      subject(),
      ['run', '--rm', '-i', '--name', subject().newId(), BUSYBOX, 'cat'],
      {
        input: 'through\n',
      },
    )
    assert.equal(stdout, 'through\n')
  })

  it('run -t gives a terminal', async () => {
    const program = subject().workspace.use(
      startOnTerminal(
        programs.berthctl,
        [
          '--address',
          subject().manager.address,
          'run',
          '--rm',
          '-i',
          '-t',
          '--name',
          subject().newId(),
          BUSYBOX,
          'sh',
        ],
        { env: subject().workspace.env, rows: 33, cols: 101 },
      ),
    )
    program.write('tty; stty size; exit 4\n')
    const { exitCode, stdout } = await program.wait()
    assert.equal(exitCode, 4)
    assert.match(stdout, /\/dev\/pts\/0/)
    assert.match(stdout, /33 101/)
  })

  it('run takes variables, working directory and user', async () => {
    const { stdout } = await ok(subject(), [
      'run',
      '--rm',
      '-e',
      'A=b c',
      '--cwd',
      '/etc',
      '-u',
      'user:extra',
      '--name',
      subject().newId(),
      BUSYBOX,
      'sh',
      '-c',
      'echo "$A $PWD $(id -u):$(id -g)"',
    ])
    assert.equal(stdout, 'b c /etc 1000:1001\n')
  })

  it('run -d, ps, exec, pause, resume, kill, rm', async () => {
    const id = subject().newId()
    await ok(subject(), ['run', '-d', '--name', id, BUSYBOX, ...PATIENT])
    assert.match((await ok(subject(), ['ps'])).stdout, new RegExp(`${id}.*running`, 'i'))
    const executed = await berthctl(subject(), ['exec', id, 'sh', '-c', 'echo inside; exit 5'])
    assert.deepEqual([executed.stdout, executed.exitCode], ['inside\n', 5])
    await ok(subject(), ['pause', id])
    assert.match((await ok(subject(), ['ps'])).stdout, new RegExp(`${id}.*paused`, 'i'))
    await ok(subject(), ['resume', id])
    assertRefused(await berthctl(subject(), ['rm', id]), new RegExp(id))
    await ok(subject(), ['kill', id])
    await until('the container to stop', async () =>
      new RegExp(`${id}.*(exited|stopped).*`, 'i').test((await ok(subject(), ['ps', '-a'])).stdout),
    )
    assert.match((await ok(subject(), ['ps', '-a'])).stdout, new RegExp(`${id}.*\\b9\\b`))
    assert.doesNotMatch((await ok(subject(), ['ps'])).stdout, new RegExp(id))
    await ok(subject(), ['rm', id])
    assert.doesNotMatch((await ok(subject(), ['ps', '-a'])).stdout, new RegExp(id))
  })

  it('exec -t gives a terminal', async () => {
    const id = subject().newId()
    await ok(subject(), ['run', '-d', '--name', id, BUSYBOX, ...PATIENT])
    const program = subject().workspace.use(
      startOnTerminal(
        programs.berthctl,
        ['--address', subject().manager.address, 'exec', '-i', '-t', id, 'sh'],
        {
          env: subject().workspace.env,
        },
      ),
    )
    program.write('tty; exit 6\n')
    const { exitCode, stdout } = await program.wait()
    assert.equal(exitCode, 6)
    assert.match(stdout, /\/dev\/pts\/\d/)
    await ok(subject(), ['rm', '--force', id])
  })

  it('events prints them as they come', async () => {
    const events = subject().workspace.start(programs.berthctl, [
      '--address',
      subject().manager.address,
      'events',
    ])
    const name = `localhost/marker-${subject().newId()}`
    await until('the subscription', async () => {
      await subject().manager.ctrOk(['images', 'tag', '--force', BUSYBOX, name])
      return events.stdout().includes(name)
    })
    await subject().manager.ctrOk(['images', 'rm', name])
    const id = subject().newId()
    await berthctl(subject(), ['run', '--rm', '--name', id, BUSYBOX, 'sh', '-c', 'exit 42'])
    const [line] = await events.saw(new RegExp(`.*/tasks/exit.*${id}.*`))
    assert.match(line, /42/)
  })

  it('version, info and namespaces answer', async () => {
    assert.match((await ok(subject(), ['version'])).stdout, /\d+\.\d+\.\d+/)
    assert.notEqual((await ok(subject(), ['info'])).stdout, '')
    assert.match((await ok(subject(), ['namespaces'])).stdout, /default/)
  })

  for (const [what, args, facts] of [
    [
      'run of an unknown image',
      ['run', '--rm', 'localhost/unknown:test', 'true'],
      [/localhost\/unknown:test/, /not found|no such/],
    ],
    [
      'exec in an unknown container',
      ['exec', 'no-such-container', 'true'],
      [/no-such-container/, /not found|no such/],
    ],
    [
      'rm of an unknown container',
      ['rm', 'no-such-container'],
      [/no-such-container/, /not found|no such/],
    ],
    [
      'kill of an unknown container',
      ['kill', 'no-such-container'],
      [/no-such-container/, /not found|no such/],
    ],
    [
      'rmi of an unknown image',
      ['rmi', 'localhost/unknown:test'],
      [/localhost\/unknown:test/, /not found|no such/],
    ],
    ['import of a file that is not there', ['import', '/no/such/file'], [/\/no\/such\/file/]],
    ['an unknown command', ['no-such-command'], [/no-such-command/]],
  ] as const)
    it(`says what was wrong: ${what}`, async () => {
      const result = await berthctl(subject(), args)
      assertRefused(result, ...facts)
      assert.doesNotMatch(result.stderr, /\n\s+at .*:\d+/, explain(result, 'printed a stack'))
    })

  it('a missing program is 127 and names it', async () => {
    const result = await berthctl(subject(), [
      'run',
      '--rm',
      '--name',
      subject().newId(),
      BUSYBOX,
      'no-such-program',
    ])
    assertRefused(result, /no-such-program/)
    // Only our shim keeps the code of the runtime apart from its text.
    assert.ok(!isOurs || result.exitCode === 127, explain(result, 'want 127'))
    assert.deepEqual(await subject().manager.containers(), [])
  })

  it('says where it looked when no manager is there', async () => {
    const address = subject().workspace.path('nobody.sock')
    const result = await run(programs.berthctl, ['--address', address, 'images'], {
      timeoutMs: 20_000,
    })
    assertRefused(result, new RegExp(address))
  })

  it('a closed reader ends it quietly', async () => {
    const line = [programs.berthctl, '--address', subject().manager.address, 'images']
      .map(quoted)
      .join(' ')
    const { stderr } = await run('sh', ['-c', `${line} | true`])
    assert.doesNotMatch(stderr, /EPIPE|at .*:\d+/)
  })
})
