import assert from 'node:assert/strict'
import { createSpec, mergeEnv, programOf, type ImageConfig } from '../oci-spec.ts'

const IMAGE: ImageConfig = {
  entrypoint: ['/entry'],
  command: ['default'],
  env: ['PATH=/bin', 'A=1'],
  workingDirectory: '/srv',
  user: '',
  stopSignal: '',
}
const OPTIONS = {
  namespace: 'ns',
  id: 'c1',
  image: IMAGE,
  user: { uid: 1, gid: 2, additionalGids: [2, 3] },
  command: [],
  env: ['B=2'],
  terminal: false,
  hasUnifiedCgroups: false,
}

interface Spec {
  readonly process: {
    readonly args: readonly string[]
    readonly env: readonly string[]
    readonly cwd: string
    readonly user: object
    readonly noNewPrivileges: boolean
    readonly capabilities: Readonly<Record<string, readonly string[]>>
  }
  readonly mounts: readonly { readonly destination: string }[]
  readonly linux: {
    readonly namespaces: readonly { readonly type: string }[]
    readonly cgroupsPath: string
    readonly resources: object
  }
}

function specOf(options: Partial<typeof OPTIONS> & { workingDirectory?: string } = {}): Spec {
  return createSpec({ ...OPTIONS, ...options }) as Spec
}

describe('hardening.md §1: containerd default spec', () => {
  it('gives the 14 capabilities in three sets, none inheritable or ambient', () => {
    const { capabilities, noNewPrivileges } = specOf().process
    assert.deepEqual(Object.keys(capabilities).sort(), ['bounding', 'effective', 'permitted'])
    for (const set of Object.values(capabilities)) assert.equal(set.length, 14)
    assert.equal(noNewPrivileges, true)
  })

  it('denies all devices, and mounts what containerd mounts', () => {
    const { linux, mounts } = specOf()
    assert.deepEqual(linux.resources, { devices: [{ allow: false, access: 'rwm' }] })
    assert.equal(linux.cgroupsPath, '/ns/c1')
    assert.deepEqual(
      mounts.map(({ destination }) => destination),
      ['/proc', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys', '/run'],
    )
  })

  it('adds a cgroup namespace with unified cgroups only', () => {
    const types = (hasUnifiedCgroups: boolean): readonly string[] =>
      specOf({ hasUnifiedCgroups }).linux.namespaces.map(({ type }) => type)
    assert.deepEqual(types(false), ['pid', 'ipc', 'uts', 'mount', 'network'])
    assert.deepEqual(types(true), ['pid', 'ipc', 'uts', 'mount', 'network', 'cgroup'])
  })
})

describe('image-spec config.md: conversion to a runtime configuration', () => {
  it('runs entrypoint and command of the image', () => {
    assert.deepEqual(programOf({ image: IMAGE, command: [] }), ['/entry', 'default'])
  })

  it('puts a command of the user behind the entrypoint', () => {
    assert.deepEqual(programOf({ image: IMAGE, command: ['x', 'y'] }), ['/entry', 'x', 'y'])
  })

  it('takes user, directory and environment', () => {
    const { process } = specOf()
    assert.deepEqual(process.user, { uid: 1, gid: 2, additionalGids: [2, 3] })
    assert.equal(process.cwd, '/srv')
    assert.deepEqual(process.env, ['PATH=/bin', 'A=1', 'B=2'])
    assert.equal(specOf({ workingDirectory: '/x' }).process.cwd, '/x')
  })

  it('has a PATH and a root directory where the image says nothing', () => {
    const { process } = specOf({ image: { ...IMAGE, env: [], workingDirectory: '' } })
    assert.match(process.env[0] ?? '', /^PATH=\/usr\/local\/sbin:/)
    assert.equal(process.cwd, '/')
  })
})

describe('mergeEnv', () => {
  it('lets later values win in the earlier place, and takes names without a value out', () => {
    assert.deepEqual(mergeEnv(['A=1', 'B=2', 'C=3'], ['B=9', 'C', 'D=a=b']), [
      'A=1',
      'B=9',
      'D=a=b',
    ])
  })
})
