import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { native } from '../binding.ts'
import {
  checkDescriptors,
  closeAll,
  drain,
  finish,
  needRoot,
  outputOf,
  scratchDirectory,
  shell,
} from './support.ts'

const CLONE_NEWUTS = 0x04000000
const DIRECTORY = 0o200000 // O_DIRECTORY

function childPids(): string {
  return readFileSync(`/proc/self/task/${String(process.pid)}/children`, 'utf8')
}

describe('spawn', () => {
  checkDescriptors()

  it('passes arguments and environment, and nothing else of ours', async () => {
    const [readEnd, writeEnd] = native().pipe()
    const child = native().spawn({
      executable: '/usr/bin/env',
      argv: ['/usr/bin/env'],
      env: ['A=1', 'B=two words'],
      fds: [-1, writeEnd],
    })
    closeSync(writeEnd)
    assert.equal((await drain(readEnd)).toString(), 'A=1\nB=two words\n')
    assert.deepEqual((await finish(child)).kind, 'exited')
    assert.equal(
      await outputOf('echo "$0" "$1"', { argv: ['sh', '-c', 'echo "$0" "$1"', 'x', 'y z'] }),
      'x y z\n',
    )
  })

  it('gives the child exactly the descriptors it lists', async () => {
    const list = await outputOf('cd /proc/self/fd; for fd in *; do echo "$fd"; done')
    // 10 and above is what the shell itself opens for the glob, gone again when it echoes.
    assert.deepEqual(list.trim().split('\n').slice(0, 3), ['0', '1', '2'])
    assert.equal(await outputOf('test -e /proc/self/fd/3 && echo open || echo closed'), 'closed\n')
  })

  it('arranges descriptors that are in the way of each other', async () => {
    const [aRead, aWrite] = native().pipe()
    const [bRead, bWrite] = native().pipe()
    const fds = [-1, -1, -1, bWrite, aWrite]
    while (fds.length <= Math.max(aWrite, bWrite)) fds.push(-1)
    // Each end asked for at the number the other one has here, and a second time at its own.
    fds[aWrite] = bWrite
    fds[bWrite] = aWrite
    const child = shell(
      `echo a >/proc/self/fd/${String(bWrite)}; echo b >/proc/self/fd/${String(aWrite)}`,
      { fds },
    )
    closeAll(aWrite, bWrite)
    assert.equal((await drain(aRead)).toString(), 'a\n')
    assert.equal((await drain(bRead)).toString(), 'b\n')
    await finish(child)
  })

  it('gives one descriptor to several numbers', async () => {
    assert.equal(await outputOf('echo out; echo err >&2'), 'out\nerr\n')
  })

  it('opens /dev/null for -1', async () => {
    assert.equal(await outputOf('readlink /proc/self/fd/0'), '/dev/null\n')
  })

  it('executes an open descriptor', async () => {
    const executable = openSync('/bin/sh', 'r')
    assert.equal(
      await outputOf('readlink /proc/$$/exe', { executable }),
      await outputOf('readlink -f /bin/sh'),
    )
    closeSync(executable)
  })

  it('starts in the directory asked for', async () => {
    assert.equal(await outputOf('pwd', { cwd: '/usr/bin' }), '/usr/bin\n')
  })

  it('makes a session or a process group of its own', async () => {
    const ids = 'set -- $(cat /proc/$$/stat); echo $(($1 == $5)) $(($1 == $6))'
    assert.equal(await outputOf(ids), '0 0\n')
    assert.equal(await outputOf(ids, { newProcessGroup: true }), '1 0\n')
    assert.equal(await outputOf(ids, { newSession: true }), '1 1\n')
  })

  it('resets signals that we ignore or block', async () => {
    const masks = await outputOf('exec grep -E "Sig(Blk|Ign)" /proc/self/status')
    assert.equal(masks, 'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n')
  })

  it('leaves our own signal handlers as they are', async () => {
    const before = readFileSync('/proc/self/status', 'utf8').match(/Sig(Blk|Ign|Cgt):.*/g)
    await finish(shell('true'))
    assert.deepEqual(
      readFileSync('/proc/self/status', 'utf8').match(/Sig(Blk|Ign|Cgt):.*/g),
      before,
    )
  })

  it('puts the child into new namespaces', async function () {
    needRoot(this) // namespaces need CAP_SYS_ADMIN
    const ours = await outputOf('readlink /proc/self/ns/uts')
    const theirs = await outputOf('readlink /proc/self/ns/uts', { cloneFlags: CLONE_NEWUTS })
    assert.match(theirs, /^uts:/)
    assert.notEqual(theirs, ours)
  })

  it('returns a close-on-exec pidfd of the child', async () => {
    const child = shell('exec sleep 100')
    const info = readFileSync(`/proc/self/fdinfo/${String(child.pidfd)}`, 'utf8')
    assert.match(info, new RegExp(`^Pid:\\t${String(child.pid)}$`, 'm'))
    assert.match(info, /^flags:\t0?2\d{6}$/m)
    native().pidfdSendSignal(child.pidfd, 9)
    await finish(child)
  })

  describe('failure', () => {
    const cases = [
      {
        what: 'the executable is not there',
        options: { executable: '/nonexistent/program' },
        error: { code: 'ENOENT', errno: 2, syscall: 'execveat', message: /\/nonexistent\/program/ },
      },
      {
        what: 'the executable is not one',
        options: { executable: '/etc/passwd' },
        error: { code: 'EACCES', syscall: 'execveat' },
      },
      {
        what: 'the directory is not there',
        options: { cwd: '/nonexistent' },
        error: { code: 'ENOENT', syscall: 'chdir', message: /\/nonexistent/ },
      },
      {
        what: 'a descriptor is not open',
        options: { fds: [-1, 4000] },
        error: { code: 'EBADF', syscall: 'dup3', message: /descriptor 4000 as 1/ },
      },
      {
        what: 'the cgroup is not one',
        options: { cgroupFd: 4000 },
        error: { code: 'EBADF', syscall: 'clone3' },
      },
    ]
    for (const { what, options, error } of cases) {
      it(`says the step and leaves no process when ${what}`, () => {
        const before = childPids()
        assert.throws(() => shell('true', options), error)
        assert.equal(childPids(), before)
      })
    }

    it('refuses a string with NUL', () => {
      assert.throws(() => shell('true', { cwd: '/tmp\0/x' }), {
        name: 'TypeError',
        message: /cwd.*NUL/,
      })
    })
  })

  it('enters a cgroup with the clone', async function () {
    needRoot(this) // cgroups are root's
    // A cgroup v2 hierarchy that is attached nowhere.
    const context = native().fsopen('cgroup2')
    native().fsconfigCreate(context)
    const root = native().fsmount(context, 0)
    using scratch = scratchDirectory()
    const name = scratch.path.replaceAll('/', '-').slice(1)
    await outputOf(`mkdir /proc/self/fd/3/${name}`, { fds: [-1, 1, 2, root] })
    const cgroup = native().openat2(root, name, DIRECTORY, 0, 0)
    assert.match(
      await outputOf('cat /proc/self/cgroup', { cgroupFd: cgroup }),
      new RegExp(`^0::/${name}$`, 'm'),
    )
    await outputOf(`rmdir /proc/self/fd/3/${name}`, { fds: [-1, 1, 2, root] })
    closeAll(cgroup, root, context)
  })

  it('starts many at once and leaves none behind', async () => {
    const exits = await Promise.all(
      Array.from({ length: 50 }, (_, i) => finish(shell(`exit ${String(i)}`))),
    )
    assert.deepEqual(
      exits.map((exit) => exit.kind === 'exited' && exit.exitCode),
      Array.from({ length: 50 }, (_, i) => i),
    )
  })
})
