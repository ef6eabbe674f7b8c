import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { need } from '../harness/needs.ts'
import { type RuntimeSubject, describeRuntime, isOurs, runtimeName } from './subject.ts'
import type { SpecHook, StateDocument } from './spec-config.ts'

interface HookLog {
  /** A hook that notes its name, its state document and the namespaces it ran in. */
  hook(name: string, script?: string): SpecHook
  /** The names in the order in which the hooks ran. */
  order(): readonly string[]
  state(name: string): StateDocument
  note(name: string, what: string): string
}

function hookLog(runtime: RuntimeSubject): HookLog {
  const dir = runtime.workspace.makeDir('hooks')
  const program = join(dir, 'hook.sh')
  writeFileSync(
    program,
    `#!/bin/sh
name=$1
echo "$name" >> ${dir}/order
cat > ${dir}/$name.state
readlink /proc/self/ns/mnt > ${dir}/$name.mnt
env > ${dir}/$name.env
pwd > ${dir}/$name.cwd
eval "$2"
`,
  )
  chmodSync(program, 0o755)
  const read = (file: string): string => readFileSync(join(dir, file), 'utf8').trim()
  return {
    hook: (name, script = ':') => ({
      path: program,
      args: ['hook.sh', name, script],
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', `HOOK=${name}`],
    }),
    order: () => (existsSync(join(dir, 'order')) ? read('order').split('\n') : []),
    state: (name) => JSON.parse(read(`${name}.state`)) as StateDocument,
    note: (name, what) => read(`${name}.${what}`),
  }
}

describeRuntime('runtime-spec config.md#posix-platform-hooks', (subject) => {
  it('runs them in the order of the life of the container', async () => {
    const runtime = subject()
    const log = hookLog(runtime)
    const { id } = await runtime.holding((spec) => {
      spec.hooks = {
        prestart: [log.hook('prestart')],
        createRuntime: [log.hook('createRuntime-1'), log.hook('createRuntime-2')],
        poststart: [log.hook('poststart')],
        poststop: [log.hook('poststop')],
      }
    }, 'create')
    const created = ['prestart', 'createRuntime-1', 'createRuntime-2']
    // runc 1.1.5 departs from the specification: it runs poststart at the end of create.
    assert.deepEqual(log.order(), runtimeName === 'runc' ? [...created, 'poststart'] : created)
    await runtime.runOk(['start', id])
    assert.deepEqual(log.order().slice(3), ['poststart'])
    await runtime.runOk(['delete', '--force', id])
    assert.deepEqual(log.order().slice(4), ['poststop'])
  })

  it('gives each the state on standard input', async () => {
    const runtime = subject()
    const log = hookLog(runtime)
    const { id, bundle } = await runtime.holding((spec) => {
      spec.annotations = { 'org.example.key': 'value' }
      spec.hooks = {
        createRuntime: [log.hook('createRuntime')],
        poststart: [log.hook('poststart')],
        poststop: [log.hook('poststop')],
      }
    })
    const { pid } = await runtime.state(id)
    await runtime.runOk(['delete', '--force', id])
    for (const name of ['createRuntime', 'poststart', 'poststop']) {
      const state = log.state(name)
      assert.equal(state.id, id, name)
      assert.equal(state.bundle, bundle.dir, name)
      assert.equal(state.annotations?.['org.example.key'], 'value', name)
      assert.match(state.ociVersion, /^1\./, name)
    }
    assert.equal(log.state('createRuntime').pid, pid)
    assert.ok(['creating', 'created'].includes(log.state('createRuntime').status))
    // Departs for the same reason.
    assert.equal(log.state('poststart').status, runtimeName === 'runc' ? 'created' : 'running')
    assert.equal(log.state('poststop').status, 'stopped')
  })

  it('runs createRuntime in the mount namespace of the runtime, createContainer in that of the container', async () => {
    const runtime = subject()
    const log = hookLog(runtime)
    const { id } = await runtime.holding((spec) => {
      spec.hooks = {
        createRuntime: [log.hook('createRuntime')],
        createContainer: [log.hook('createContainer')],
      }
    })
    const { pid } = await runtime.state(id)
    assert.equal(log.note('createRuntime', 'mnt'), readlinkSync('/proc/self/ns/mnt'))
    assert.equal(log.note('createContainer', 'mnt'), readlinkSync(`/proc/${String(pid)}/ns/mnt`))
  })

  it('runs startContainer inside the container, before the program', async () => {
    const { stdout } = await subject().runBundle((spec) => {
      spec.root.readonly = false
      spec.process.args = ['/bin/cat', '/tmp/started']
      spec.hooks = {
        startContainer: [
          {
            path: '/bin/sh',
            args: ['sh', '-c', 'cat > /dev/null; echo by the hook > /tmp/started'],
          },
        ],
      }
    })
    assert.equal(stdout, 'by the hook\n')
  })

  it('gives a hook its own environment and nothing of ours', async () => {
    const runtime = subject()
    const log = hookLog(runtime)
    await runtime.holding((spec) => {
      spec.hooks = { createRuntime: [log.hook('createRuntime')] }
    })
    const environment = log.note('createRuntime', 'env')
    assert.match(environment, /^HOOK=createRuntime$/m)
    assert.doesNotMatch(environment, /BERTH_TEST_TOKEN/)
  })

  for (const name of ['prestart', 'createRuntime', 'createContainer'] as const)
    it(`a failing ${name} hook fails create and leaves nothing`, async () => {
      const runtime = subject()
      const log = hookLog(runtime)
      const { dir } = await runtime.bundle((spec) => {
        spec.hooks = { [name]: [log.hook('first', 'echo because >&2; exit 3'), log.hook('second')] }
      })
      const { exitCode, stderr } = await runtime.run(['create', '--bundle', dir, runtime.newId()])
      assert.notEqual(exitCode, 0)
      assert.match(stderr, /hook/)
      assert.match(stderr, /because/)
      assert.deepEqual(log.order(), ['first'])
      assert.deepEqual(runtime.remembered(), [])
    })

  it('what a failing createContainer hook leaves running does not hide the failure or stay', async function () {
    need(this, isOurs, 'runc 1.1.5 waits for the end of what the hook has left running')
    const runtime = subject()
    const log = hookLog(runtime)
    const { dir } = await runtime.bundle((spec) => {
      // With a pid namespace of its own, everything would end with its init.
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'pid')
      const leave = 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & exit 3'
      spec.hooks = { createContainer: [log.hook('leaving', leave)] }
    })
    const { exitCode, stderr } = await runtime.run(['create', '--bundle', dir, runtime.newId()])
    assert.notEqual(exitCode, 0)
    assert.match(stderr, /hook/)
    assert.deepEqual(runtime.remembered(), [])
  })

  it('a hook that takes longer than its timeout fails', async () => {
    const runtime = subject()
    const log = hookLog(runtime)
    const { dir } = await runtime.bundle((spec) => {
      spec.hooks = { createRuntime: [{ ...log.hook('slow', 'exec sleep 1000'), timeout: 1 }] }
    })
    const { exitCode } = await runtime.run(['create', '--bundle', dir, runtime.newId()])
    assert.notEqual(exitCode, 0)
    assert.deepEqual(runtime.remembered(), [])
  })

  it('a failing poststop hook does not keep the container', async () => {
    const runtime = subject()
    const log = hookLog(runtime)
    const { id } = await runtime.holding((spec) => {
      spec.hooks = { poststop: [log.hook('poststop', 'exit 1')] }
    })
    // runc 1.1.5 passes the failure on as its exit code; the container is gone in any case.
    const { exitCode } = await runtime.run(['delete', '--force', id])
    assert.ok(!isOurs || exitCode === 0)
    assert.deepEqual(log.order(), ['poststop'])
    assert.deepEqual(runtime.remembered(), [])
  })
})
