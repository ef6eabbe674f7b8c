/**
 * Where the programs under test and their peers are. Every location can be replaced by an
 * environment variable, so a suite can be pointed at another build or another version.
 */
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The root of the repository: the nearest folder above this file that holds package.json. */
export const repositoryDir = findRepository(import.meta.dirname)

function findRepository(start: string): string {
  for (let dir = start; ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'package.json'))) return dir
    if (dir === '/') throw new Error(`no package.json above ${start}`)
  }
}

function located(variable: string, fallback: string): string {
  return process.env[variable] ?? fallback
}

const dist = (name: string): string => join(repositoryDir, 'dist', name)

export const programs = {
  runtime: located('BERTH_RUNTIME', dist('berth-runtime')),
  shim: located('BERTH_SHIM', dist('containerd-shim-berth-v2')),
  berthd: located('BERTH_BERTHD', dist('berthd')),
  berthctl: located('BERTH_BERTHCTL', dist('berthctl')),
  runc: located('PEER_RUNC', '/usr/sbin/runc'),
  crun: located('PEER_CRUN', '/usr/bin/crun'),
  containerd: located('PEER_CONTAINERD', '/usr/bin/containerd'),
  containerdShim: located('PEER_CONTAINERD_SHIM', '/usr/bin/containerd-shim-runc-v2'),
  ctr: located('PEER_CTR', '/usr/bin/ctr'),
  dockerRegistry: located('PEER_DOCKER_REGISTRY', '/usr/bin/docker-registry'),
  busybox: located('PEER_BUSYBOX', '/bin/busybox'),
} as const

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
