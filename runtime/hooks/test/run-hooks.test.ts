import assert from 'node:assert/strict'
import { closeSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { native } from '../../../native/binding.ts'
import { programDirectory } from '../../../native/program-directory.ts'
import type { HookSpec } from '../../spec/types.ts'
import { onRuntimeWarning } from '../../warnings.ts'
import { type HookState, runBlockingHooks, runTrailingHooks } from '../run-hooks.ts'

/** With real processes: needs the addon. */
describe('runtime-spec config.md#posix-platform-hooks', function () {
  let bundle = ''
  const warnings: string[] = []

  before(function () {
    if (!existsSync(join(programDirectory(), 'berth.node'))) this.skip()
  })

  beforeEach(() => {
    bundle = mkdtempSync(join(tmpdir(), 'berth-hooks-'))
    warnings.length = 0
    onRuntimeWarning((warning) => warnings.push(warning))
  })

  afterEach(() => {
    onRuntimeWarning(() => undefined)
    rmSync(bundle, { recursive: true })
  })

  function hook(script: string, more: Partial<HookSpec> = {}): HookSpec {
    return { path: '/bin/sh', args: ['hook', '-c', script], env: ['A=b'], ...more }
  }

  /** Never resolves for a process that lives on. */
  async function ended(pid: number): Promise<void> {
    if (!existsSync(`/proc/${String(pid)}`)) return
    const pidfd = native().pidfdOpen(pid)
    await new Promise<void>((resolve) => {
      native().watchReadable(pidfd, resolve)
    })
    closeSync(pidfd)
  }

  function state(): HookState {
    return { ociVersion: '1.3.0', id: 'c1', status: 'creating', pid: 7, bundle, annotations: {} }
  }

  it('gives the state on stdin, the environment of the hook and nothing else', async () => {
    const script =
      'cat > state; env | grep -v "^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=" > env; echo "$0" > name; ls /proc/$$/fd | wc -l > fds'
    await runBlockingHooks('createRuntime', [hook(script)], state())
    const read = (file: string): string => readFileSync(join(bundle, file), 'utf8')
    assert.deepEqual(JSON.parse(read('state')), state())
    assert.equal(read('env'), 'A=b\n')
    assert.equal(read('name'), 'hook\n')
    assert.ok(Number(read('fds')) <= 4)
  })

  it('does not stall on a hook that reads nothing and says much', async () => {
    const big = { ...state(), annotations: { a: 'x'.repeat(1 << 20) } }
    await runBlockingHooks('prestart', [hook('head -c 1000000 /dev/zero')], big)
  })

  it('stops at the first failure and says what the hook said', async () => {
    const hooks = [hook('echo went wrong >&2; exit 3'), hook('touch second')]
    await assert.rejects(runBlockingHooks('prestart', hooks, state()), (error: Error) => {
      assert.equal(
        error.message,
        'run hook at /hooks/prestart/0: /bin/sh: found exit code 3, want exit code 0 (it said: went wrong)',
      )
      return true
    })
    assert.equal(existsSync(join(bundle, 'second')), false)
  })

  it('goes on after a failure of a trailing hook', async () => {
    await runTrailingHooks('poststop', [hook('kill -9 $$'), hook('touch second')], state())
    assert.equal(existsSync(join(bundle, 'second')), true)
    assert.match(warnings.join(), /\/hooks\/poststop\/0: .* found death by signal 9/)
  })

  it('kills a hook and its children after the timeout', async () => {
    const late = hook('sleep 60 & echo $! > pid; wait', { timeoutSeconds: 1 })
    await assert.rejects(runBlockingHooks('createRuntime', [late], state()), {
      code: 'deadlineExceeded',
    })
    await ended(Number(readFileSync(join(bundle, 'pid'), 'utf8')))
  })

  it('names a hook that does not exist', async () => {
    await assert.rejects(
      runBlockingHooks('createRuntime', [hook('', { path: '/no/such' })], state()),
      { code: 'notFound' },
    )
  })
})
