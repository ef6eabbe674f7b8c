import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseResourcesDocument } from '../../spec/parse.ts'
import { resolveCgroupPaths } from '../cgroup-path.ts'
import type { Cgroup } from '../cgroup.ts'
import { CgroupV1 } from '../cgroup-v1.ts'
import { readCgroupHost } from '../hierarchies.ts'
import { openCgroup } from '../open.ts'

/** Moves a process from outside, as only a test needs it: init moves itself. */
function addProcess(cgroup: Cgroup, pid: number): void {
  for (const file of cgroup.taskFiles) writeFileSync(file, String(pid))
}

/** On the real kernel: needs root and cgroup v1 with a freezer. */
describe('CgroupV1 on this kernel', function () {
  const id = `berth-test-${String(process.pid)}`
  let paths: Readonly<Record<string, string>> = {}
  const children: ChildProcess[] = []

  function read(controller: string, file: string): string {
    return readFileSync(join(paths[controller] ?? '', file), 'latin1').trim()
  }

  function spawnSleeper(): number {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    children.push(child)
    assert.ok(child.pid !== undefined)
    return child.pid
  }

  before(function () {
    const host = process.getuid?.() === 0 ? readCgroupHost() : undefined
    if (host === undefined || host.version === 2) {
      this.skip()
    }
    paths = resolveCgroupPaths(host, `/${id}/inner`, id)
  })

  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    if (Object.keys(paths).length > 0) {
      await new CgroupV1(resolveCgroupPaths(readCgroupHost(), `/${id}`, id)).destroy()
    }
  })

  it('sets the limits and the device rules, and is gone afterwards', async () => {
    const { value } = parseResourcesDocument(
      '{"memory":{"limit":16777216},"pids":{"limit":10},"cpu":{"shares":512,"quota":50000}}',
    )
    const cgroup = await CgroupV1.create(paths, value)
    assert.equal(read('memory', 'memory.limit_in_bytes'), '16777216')
    assert.equal(read('pids', 'pids.max'), '10')
    assert.equal(read('cpu', 'cpu.shares'), '512')
    assert.equal(read('cpu', 'cpu.cfs_quota_us'), '50000')
    assert.doesNotMatch(read('devices', 'devices.list'), /^a/m)
    assert.match(read('devices', 'devices.list'), /^c 1:3 rwm$/m)
    assert.equal(read('cpuset', 'cpuset.mems') === '', false)
    await cgroup.destroy()
    assert.deepEqual(Object.values(paths).filter(existsSync), [])
    await cgroup.destroy()
  })

  it('raises memory and swap together, and lowers them', async () => {
    const cgroup = await CgroupV1.create(
      paths,
      parseResourcesDocument('{"memory":{"limit":8388608,"swap":8388608}}').value,
    )
    for (const limit of [16777216, 4194304]) {
      cgroup.update(
        parseResourcesDocument(JSON.stringify({ memory: { limit, swap: limit } })).value,
      )
      assert.equal(read('memory', 'memory.limit_in_bytes'), String(limit))
      assert.equal(read('memory', 'memory.memsw.limit_in_bytes'), String(limit))
    }
  })

  it('names file and value the kernel refuses, and leaves nothing', async () => {
    const { value } = parseResourcesDocument('{"cpu":{"cpus":"4000"}}')
    await assert.rejects(
      CgroupV1.create(paths, value),
      (error: { facts: { path?: string; found?: string } }) => {
        assert.equal(error.facts.path, join(paths['cpuset'] ?? '', 'cpuset.cpus'))
        assert.equal(error.facts.found, '4000')
        return true
      },
    )
    assert.deepEqual(Object.values(paths).filter(existsSync), [])
  })

  it('refuses a cgroup that is in use', async () => {
    const cgroup = await CgroupV1.create(paths, {})
    addProcess(cgroup, spawnSleeper())
    await assert.rejects(CgroupV1.create(paths, {}), { code: 'failedPrecondition' })
    assert.equal(cgroup.pids().length, 1)
    await cgroup.killAll()
  })

  it('freezes, thaws and kills what is frozen, also in cgroups below', async () => {
    const cgroup = await CgroupV1.create(paths, {})
    const pids = [spawnSleeper(), spawnSleeper()]
    addProcess(cgroup, pids[0] ?? 0)
    mkdirSync(join(paths['freezer'] ?? '', 'below'))
    addProcess(openCgroup({ freezer: join(paths['freezer'] ?? '', 'below') }), pids[1] ?? 0)
    assert.deepEqual(new Set(cgroup.pids()), new Set(pids))
    assert.equal(cgroup.isFrozen(), false)
    await cgroup.freeze()
    assert.equal(openCgroup(paths).isFrozen(), true)
    cgroup.thaw()
    assert.equal(cgroup.isFrozen(), false)
    await cgroup.freeze()
    await cgroup.killAll()
    assert.deepEqual(cgroup.pids(), [])
    await cgroup.destroy()
    assert.deepEqual(Object.values(paths).filter(existsSync), [])
    assert.equal(cgroup.isFrozen(), false)
  })
})
