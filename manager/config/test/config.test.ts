import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_CONFIG } from '../config.ts'
import { parseConfig } from '../config-file.ts'
import { parseInvocation } from '../flags.ts'
import { RootLock } from '../root-lock.ts'

describe('configuration: DESIGN "Files at run time"', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-config-'))
  })

  afterEach(async () => {
    await rm(directory, { recursive: true })
  })

  it('lets flags win over the file, and the file over the defaults', async () => {
    const path = join(directory, 'c.toml')
    await writeFile(
      path,
      'version = 1\nroot = "/from/file"\nstate = "/state"\nlog_format = "json"\n',
    )
    const invocation = parseInvocation(['--config', path, '--root=/from/flag', '-l', 'debug'])
    assert.deepEqual(invocation, {
      kind: 'serve',
      config: {
        ...DEFAULT_CONFIG,
        rootDir: '/from/flag',
        stateDir: '/state',
        logFormat: 'json',
        logLevel: 'debug',
      },
    })
  })

  it('reads which shim stands for a runtime', () => {
    const text = 'version = 1\n[runtimes]\n"io.containerd.runc.v2" = "containerd-shim-runc-v2"\n'
    assert.deepEqual(parseConfig(text, 'f').runtimes, {
      'io.containerd.runc.v2': 'containerd-shim-runc-v2',
    })
  })

  const malformed = [
    ['version = 1\nrooot = "/x"', /f: found the unknown key rooot, .*\(did you mean root\?\)/],
    ['root = "/x"', /f: found no version, want version = 1/],
    ['version = 2', /f key version: found 2, want version 1/],
    ['version = 1\nroot = 5', /f key root: found 5, want a string/],
    ['version = 1\nroot = "x"', /f key root: found "x", want an absolute path/],
    ['version = 1\nlog_level = "loud"', /f key log_level: found "loud", want one of trace, debug/],
    ['version = 1\nlog_format = "xml"', /f key log_format: found "xml", want one of text, json/],
    ['version = 1\nruntimes = "x"', /f key runtimes: found "x", want a table/],
    ['version = 1\n[runtimes]\na = 1', /f key runtimes\.a: found 1, want a string/],
    ['version = [', /f: found .*, want TOML$/],
  ] as const
  for (const [text, message] of malformed) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseConfig(text, 'f'), { code: 'invalidArgument', message })
    })
  }

  it('does without the default file, but not without one that was named', () => {
    const missing = join(directory, 'none.toml')
    assert.throws(() => parseInvocation(['--config', missing]), { code: 'notFound' })
  })

  for (const [args, message] of [
    [['--rot', '/x'], /unknown flag --rot.*did you mean --root\?/],
    [['--root'], /see berthd --help/],
    [['--root', 'relative'], /--root: found "relative", want an absolute path/],
    [['serve'], /see berthd --help/],
  ] as const) {
    it(`refuses ${args.join(' ')}`, () => {
      assert.throws(() => parseInvocation(args), { code: 'invalidArgument', message })
    })
  }
})

describe('RootLock', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-lock-'))
  })

  afterEach(async () => {
    await rm(directory, { recursive: true })
  })

  it('makes the directory and leaves its pid in it', async () => {
    const rootDir = join(directory, 'deep', 'root')
    using _lock = await RootLock.acquire(rootDir, () => undefined)
    assert.equal(await readFile(join(rootDir, 'berthd.lock'), 'utf8'), `${String(process.pid)}\n`)
  })

  it('names the pid of the one that holds it, and leaves it there', async () => {
    await writeFile(join(directory, 'berthd.lock'), '4711\n')
    const taken = (): never => {
      throw Object.assign(new Error('flock'), { code: 'EAGAIN' })
    }
    await assert.rejects(RootLock.acquire(directory, taken), {
      code: 'failedPrecondition',
      message: /found another berthd on it, pid 4711/,
    })
    assert.equal(await readFile(join(directory, 'berthd.lock'), 'utf8'), '4711\n')
  })
})
