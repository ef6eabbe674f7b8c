// @ts-check
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './paths.mjs'
import { PlainError, runAnyway, runVisibly } from './run.mjs'

/** What the C++ parts are compiled with and linked against, statically. */
const BUILD_PACKAGES = [
  'g++',
  'libacl1-dev',
  'libarchive-dev',
  'libseccomp-dev',
  'libssl-dev',
  'libzstd-dev',
  'zlib1g-dev',
]

/** @typedef {'build' | 'run' | 'test'} Purpose each needs what the one before it needs */

/**
 * Makes the machine ready: refuses one that cannot be, installs what is missing, leaves alone what is
 * there.
 *
 * @param {Purpose} purpose
 * @throws {PlainError}
 */
export async function setUp(purpose) {
  refuseUnsuitable(purpose, { platform: process.platform, uid: process.getuid?.() })
  await installNpmPackages()
  await installDebianPackages(
    purpose === 'test' ? [...BUILD_PACKAGES, ...testPackages()] : BUILD_PACKAGES,
  )
}

/**
 * @param {Purpose} purpose
 * @param {{ platform: string, uid: number | undefined }} machine
 * @throws {PlainError} when nothing that could be installed would help
 */
export function refuseUnsuitable(purpose, { platform, uid }) {
  if (platform !== 'linux') {
    throw new PlainError(`Berth runs on Linux: found ${platform}`)
  }
  if (purpose !== 'build' && uid !== 0) {
    throw new PlainError(
      `containers are made as root: found user ${String(uid)}, want 0 (try again with sudo)`,
    )
  }
}

/** Installs what package-lock.json names, unless that has been done. */
async function installNpmPackages() {
  const stamp = join(ROOT, 'node_modules/.berth-lockfile')
  const lockfile = readFileSync(join(ROOT, 'package-lock.json'))
  const digest = createHash('sha256').update(lockfile).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  process.stdout.write('installing npm packages\n')
  const exitCode = await runVisibly('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  if (exitCode !== 0) throw new PlainError(`npm ci failed with exit code ${String(exitCode)}`)
  writeFileSync(stamp, digest)
}

/** What the tests use as peers and oracles; the list is kept beside the suites. */
function testPackages() {
  const list = readFileSync(join(ROOT, 'conformance/debian-packages.json'), 'utf8')
  return /** @type {readonly string[]} */ (JSON.parse(list))
}

/** @param {readonly string[]} wanted */
async function installDebianPackages(wanted) {
  if (!hasCommand('apt-get') || !hasCommand('dpkg-query')) {
    if (!hasCommand('g++')) {
      throw new PlainError(
        'the C++ parts need a compiler: found neither g++ nor apt-get to install it with',
      )
    }
    return // whoever runs another distribution brings the libraries; the compiler names what is missing
  }
  const missing = await missingPackages(wanted)
  if (missing.length === 0) return
  if (process.getuid?.() !== 0) {
    throw new PlainError(
      `Debian packages are missing and only root can install them: apt-get install ${missing.join(' ')}`,
    )
  }
  process.stdout.write(`installing Debian packages: ${missing.join(' ')}\n`)
  await withServicesKeptStopped(async () => {
    // The package lists of a fresh machine are absent or old: a failure is worth one try with new ones.
    if (await aptGet(['install', ...missing])) return
    await aptGet(['update'])
    if (await aptGet(['install', ...missing])) return
    throw new PlainError(
      `apt-get could not install what is missing: ${(await missingPackages(wanted)).join(' ')}`,
    )
  })
}

/**
 * @param {readonly string[]} wanted
 * @returns {Promise<string[]>}
 */
async function missingPackages(wanted) {
  const { output } = await runAnyway('dpkg-query', [
    '--show',
    '--showformat=${db:Status-Status} ${Package}\n',
    ...wanted,
  ])
  const installed = new Set(
    output.split('\n').flatMap((line) => (line.startsWith('installed ') ? [line.slice(10)] : [])),
  )
  return wanted.filter((name) => !installed.has(name))
}

/**
 * @param {readonly string[]} args
 * @returns {Promise<boolean>} whether it went well; what it said is shown when it did not
 */
async function aptGet(args) {
  const { exitCode, output } = await runAnyway(
    'apt-get',
    ['-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...args],
    { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } },
  )
  if (exitCode !== 0) process.stderr.write(output)
  return exitCode === 0
}

/**
 * containerd and docker-registry are installed as test peers: the tests start their own, so Debian's
 * policy hook keeps the packages from starting theirs.
 *
 * @param {() => Promise<void>} work
 */
async function withServicesKeptStopped(work) {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return work()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n')
  chmodSync(policy, 0o755)
  try {
    await work()
  } finally {
    rmSync(policy, { force: true })
  }
}

/** @param {string} name */
function hasCommand(name) {
  const path = process.env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return path.split(':').some((directory) => existsSync(join(directory, name)))
}
