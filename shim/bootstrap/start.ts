/** `start`: makes sure a shim serves this container's group, says where, and is gone. */
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { native } from '../../native/binding.ts'
import { PlatformError, errnoOf, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { writeFileAtomically } from '../atomic-file.ts'
import { groupOf } from './grouping.ts'
import type { ShimIdentity } from './identity.ts'
import { LISTEN_FD, PROGRAM_NAME, SERVER_ENGINE_ENV } from './launch-contract.ts'
import { shimSocketAddress, type SocketAddress } from './socket-address.ts'
import { readStartOptions } from './stdin-parameters.ts'

const DEV_NULL = -1

/** Passed on to the server; everything else of the daemon's environment stays outside. */
const KEPT_VARIABLES = [
  'PATH',
  'TTRPC_ADDRESS',
  'GRPC_ADDRESS',
  'NAMESPACE',
  'TMPDIR',
  'XDG_RUNTIME_DIR',
]

/**
 * Starts the server in the background unless one serves the group already.
 *
 * @returns the address to print, in the form the daemon understands
 * @throws invalidArgument, notFound (no config.json), or what the system says
 */
export async function start(
  identity: ShimIdentity,
  bundle: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const options = await readStartOptions(identity.id)
  const group = groupOf(bundle, identity.id)
  const socket = await shimSocketAddress(identity, group)
  const address = `unix://${socket.path}`
  const listenFd = listen(socket)
  // containerd 1.6 finds the shim again after its own restart through this file.
  writeFileAtomically(join(bundle, 'address'), address)
  if (listenFd !== undefined) {
    const pid = spawnServer(identity, bundle, listenFd, socket, env)
    if (options.shimCgroup !== '') joinCgroup(options.shimCgroup, pid)
    setOomScore(pid)
  }
  return formatStartAnswer(address, env['MAX_SHIM_VERSION'])
}

/**
 * containerd before 1.7 reads a bare address; those that name the newest shim version they know read JSON. Both
 * versions of the task service are served, so the answer is the newest both sides know.
 */
export function formatStartAnswer(address: string, maxShimVersion: string | undefined): string {
  const newest = Number(maxShimVersion ?? '')
  if (!Number.isInteger(newest) || newest < 2) return address
  return JSON.stringify({ version: Math.min(newest, 3), address, protocol: 'ttrpc' })
}

/** @returns undefined when a living shim answers there already */
function listen({ directory, path }: SocketAddress): number | undefined {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (existsSync(path)) {
    if (isAnswering(path)) return undefined
    unlinkSync(path)
  }
  const fd = native().listenUnix(path)
  chmodSync(path, 0o600)
  return fd
}

function isAnswering(path: string): boolean {
  if (!lstatSync(path).isSocket()) {
    throw new PlatformError('failedPrecondition', {
      action: 'listen',
      path,
      found: 'something that is no socket',
      wanted: 'nothing, or the socket of an earlier shim',
    })
  }
  try {
    closeSync(native().connectUnix(path))
    return true
  } catch (error) {
    if (errnoOf(error) === 'ECONNREFUSED' || errnoOf(error) === 'ENOENT') return false
    throw wrapSystemError(error, { action: 'connect to', path })
  }
}

function spawnServer(
  { namespace, id, address, publishBinary, isDebug }: ShimIdentity,
  bundle: string,
  listenFd: number,
  socket: SocketAddress,
  env: Readonly<Record<string, string | undefined>>,
): number {
  const passedOn = KEPT_VARIABLES.flatMap((name) => {
    const value = env[name]
    return value === undefined ? [] : [`${name}=${value}`]
  })
  const fds = [DEV_NULL, DEV_NULL, DEV_NULL]
  // Where the contract says.
  fds[LISTEN_FD] = listenFd
  const argv = [PROGRAM_NAME, '-namespace', namespace, '-id', id, '-address', address]
  argv.push('-publish-binary', publishBinary, '-socket', socket.path)
  if (isDebug) argv.push('-debug')
  try {
    const { pid, pidfd } = native().spawn({
      executable: process.execPath,
      argv,
      env: [...passedOn, ...SERVER_ENGINE_ENV],
      fds,
      cwd: bundle,
      newSession: true,
    })
    closeSync(pidfd)
    return pid
  } catch (error) {
    unlinkSync(socket.path)
    throw wrapSystemError(error, { action: 'start the shim server', path: process.execPath })
  } finally {
    closeSync(listenFd)
  }
}

/** One above the daemon's, as containerd's shims have it: the kernel takes a shim before the daemon. Never worth failing for. */
function setOomScore(pid: number): void {
  try {
    const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'))
    writeFileSync(`/proc/${String(pid)}/oom_score_adj`, String(Math.min(own + 1, 1000)))
  } catch (error) {
    const errno = errnoOf(error)
    if (errno !== 'EACCES' && errno !== 'EPERM' && errno !== 'ENOENT') throw error
  }
}

/** Puts the server into the cgroup of this path in every hierarchy that has it. */
function joinCgroup(path: string, pid: number): void {
  const root = '/sys/fs/cgroup'
  const directories = existsSync(join(root, 'cgroup.controllers'))
    ? [join(root, path)]
    : ['memory', 'cpu', 'pids', 'devices', 'freezer'].map((name) => join(root, name, path))
  const existing = directories.filter((directory) => existsSync(directory))
  if (existing.length === 0) {
    throw new PlatformError('notFound', { action: 'join the shim cgroup', path })
  }
  for (const directory of existing) writeFileSync(join(directory, 'cgroup.procs'), String(pid))
}
