import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Bundle } from '../bundle.ts'

describe('containerd-behaviour.md §i: bundle', () => {
  let directory = ''
  const roots = () => ({
    stateDirectory: join(directory, 's'),
    rootDirectory: join(directory, 'r'),
  })
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-test-'))
  })
  afterEach(async () => {
    await rm(directory, { recursive: true })
  })

  it('has config.json, rootfs and the link work, and lets only its owner in', async () => {
    const bundle = await Bundle.create(roots(), 'ns', 'c1', Buffer.from('{"a":1}'))
    assert.equal(bundle.path, join(directory, 's/io.containerd.runtime.v2.task/ns/c1'))
    assert.deepEqual((await readdir(bundle.path)).sort(), ['config.json', 'rootfs', 'work'])
    assert.equal(await readFile(join(bundle.path, 'config.json'), 'utf8'), '{"a":1}')
    const work = join(directory, 'r/io.containerd.runtime.v2.task/ns/c1')
    assert.equal(await readlink(join(bundle.path, 'work')), work)
    assert.equal((await stat(bundle.path)).mode & 0o777, 0o700)
  })

  it('is made once', async () => {
    await Bundle.create(roots(), 'ns', 'c1', Buffer.from('{}'))
    await assert.rejects(Bundle.create(roots(), 'ns', 'c1', Buffer.from('{}')), {
      code: 'alreadyExists',
    })
  })

  it('is found again, with the address of its shim', async () => {
    const bundle = await Bundle.create(roots(), 'ns', 'c1', Buffer.from('{}'))
    assert.equal(await bundle.readEndpoint(), undefined)
    await bundle.writeShimPath('/usr/bin/shim')
    await bundle.writeEndpoint({ version: 3, socketPath: '/run/x' })
    const [found, ...others] = await Bundle.list(roots())
    assert.equal(others.length, 0)
    assert.equal(found?.namespace, 'ns')
    assert.equal(found.id, 'c1')
    assert.deepEqual(await found.readEndpoint(), { version: 3, socketPath: '/run/x' })
    assert.equal(await found.readShimPath(), '/usr/bin/shim')
  })

  it('leaves nothing when it is removed, and can be removed twice', async () => {
    const bundle = await Bundle.create(roots(), 'ns', 'c1', Buffer.from('{}'))
    await bundle.remove()
    await bundle.remove()
    assert.deepEqual(await Bundle.list(roots()), [])
    assert.deepEqual(await readdir(join(directory, 'r/io.containerd.runtime.v2.task/ns')), [])
  })

  it('is not removed while something is in its rootfs: it may be a mounted snapshot', async () => {
    const bundle = await Bundle.create(roots(), 'ns', 'c1', Buffer.from('{}'))
    await writeFile(join(bundle.rootfsPath, 'precious'), 'x')
    await assert.rejects(bundle.remove(), { code: 'failedPrecondition' })
    assert.equal(await readFile(join(bundle.rootfsPath, 'precious'), 'utf8'), 'x')
  })
})
