import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveShimProgram, shimProgramName } from '../runtime-name.ts'

describe('DESIGN 16: runtime name to shim program', () => {
  const names: readonly [string, string][] = [
    ['io.containerd.runc.v2', 'containerd-shim-berth-v2'],
    ['io.containerd.berth.v2', 'containerd-shim-berth-v2'],
    ['io.containerd.runc.v1', 'containerd-shim-runc-v1'],
    ['io.containerd.kata.v2', 'containerd-shim-kata-v2'],
    ['io.containerd.kata-qemu.v2', 'containerd-shim-kata-qemu-v2'],
    ['/opt/bin/my-shim', '/opt/bin/my-shim'],
  ]
  for (const [runtime, program] of names) {
    it(`takes ${program} for ${runtime}`, () => {
      assert.equal(shimProgramName(runtime), program)
    })
  }

  it('lets the configuration decide', () => {
    const mapping = { 'io.containerd.runc.v2': 'containerd-shim-runc-v2' }
    assert.equal(shimProgramName('io.containerd.runc.v2', mapping), 'containerd-shim-runc-v2')
  })

  for (const bad of [
    '',
    'runc',
    'io.containerd./../x.v2',
    'a..b',
    'a.b/c',
    '../shim',
    'a.b c.v2',
  ]) {
    it(`refuses ${JSON.stringify(bad)}`, () => {
      assert.throws(() => shimProgramName(bad), { code: 'invalidArgument' })
    })
  }

  it('is not fooled by names of object properties', () => {
    assert.throws(() => shimProgramName('constructor'), { code: 'invalidArgument' })
  })
})

describe('resolveShimProgram', () => {
  let ours = ''
  let system = ''
  beforeEach(async () => {
    ours = await mkdtemp(join(tmpdir(), 'berth-test-'))
    system = await mkdtemp(join(tmpdir(), 'berth-test-'))
  })
  afterEach(async () => {
    await rm(ours, { recursive: true })
    await rm(system, { recursive: true })
  })
  const install = async (directory: string, name: string): Promise<string> => {
    const path = join(directory, name)
    await writeFile(path, '')
    await chmod(path, 0o755)
    return path
  }
  const search = () => ({ programDirectory: ours, path: `relative:${system}` })

  it('takes our shim from beside the manager, others from PATH', async () => {
    const berth = await install(ours, 'containerd-shim-berth-v2')
    await install(system, 'containerd-shim-berth-v2')
    await install(ours, 'containerd-shim-kata-v2')
    const kata = await install(system, 'containerd-shim-kata-v2')
    assert.equal(await resolveShimProgram('io.containerd.runc.v2', search()), berth)
    assert.equal(await resolveShimProgram('io.containerd.kata.v2', search()), kata)
  })

  it('says where it looked for a shim that is not installed', async () => {
    await assert.rejects(
      resolveShimProgram('io.containerd.runsc.v1', search()),
      (error: unknown) => {
        assert.match(String(error), /no containerd-shim-runsc-v1 in /)
        assert.ok(String(error).includes(system))
        return true
      },
    )
  })

  it('does not take a file that cannot be executed', async () => {
    await writeFile(join(system, 'containerd-shim-kata-v2'), '', { mode: 0o644 })
    await assert.rejects(resolveShimProgram('io.containerd.kata.v2', search()), {
      code: 'notFound',
    })
  })
})
