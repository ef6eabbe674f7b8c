/**
 * The images of the suites, built once per machine: a cache directory named after the content of the
 * build script, filled under a lock and renamed into place when complete.
 *
 * BERTH_TEST_CACHE chooses another place than /var/cache/berth-tests.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { freePort } from '../harness/free-port.ts'
import { RunningProgram, runOk } from '../harness/process.ts'
import { repositoryDir } from '../harness/programs.ts'

const CACHE_DIR = process.env['BERTH_TEST_CACHE'] ?? '/var/cache/berth-tests'

/** debootstrap downloads a Debian: minutes on a slow line. */
const BUILD_TIMEOUT_MS = 15 * 60_000

/** Mocha's patience for a hook that may have to build the images. */
export const IMAGE_TIMEOUT_MS = BUILD_TIMEOUT_MS

export interface SmallImage {
  /** An OCI archive for `ctr images import`. */
  readonly archive: string
  readonly reference: 'localhost/busybox:test'
}

export interface RealImage {
  /** A docker-registry store that holds `debian:test` and `busybox:test`. */
  readonly registryStore: string
  /** The OCI layout of the Debian image. */
  readonly layout: string
}

/** A one-layer busybox. */
export async function smallImage(): Promise<SmallImage> {
  const dir = await cached('small')
  return { archive: join(dir, 'busybox.tar'), reference: 'localhost/busybox:test' }
}

/** A debootstrap minbase of Debian with five layers, and a registry store that holds it. */
export async function realImage(): Promise<RealImage> {
  const dir = await cached('real')
  return { registryStore: join(dir, 'registry'), layout: join(dir, 'real', 'oci') }
}

async function cached(what: 'small' | 'real'): Promise<string> {
  const script = join(repositoryDir, 'conformance', 'images', 'build-images.sh')
  const key = createHash('sha256').update(readFileSync(script)).digest('hex').slice(0, 16)
  const target = join(CACHE_DIR, `${what}-${key}`)
  if (existsSync(target)) return target
  mkdirSync(CACHE_DIR, { recursive: true })
  await using lock = new RunningProgram(
    'flock',
    [join(CACHE_DIR, `${what}.lock`), 'sh', '-c', 'echo locked; cat'],
    {
      keepInput: true,
    },
  )
  // Another run may be building the same: it may take as long as a build.
  await lock.saw(/locked/, 'stdout', BUILD_TIMEOUT_MS)
  if (existsSync(target)) return target
  const partial = `${target}.partial`
  rmSync(partial, { recursive: true, force: true })
  await runOk('sh', [script, partial, what], {
    env: { ...process.env, BERTH_TEST_REGISTRY_PORT: String(await freePort()) },
    timeoutMs: BUILD_TIMEOUT_MS,
  })
  renameSync(partial, target)
  lock.endInput()
  await lock.wait()
  return target
}
