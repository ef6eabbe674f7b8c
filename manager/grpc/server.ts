import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as grpc from '@grpc/grpc-js'
import { errnoOf, PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { CallReporter, ServiceImplementation } from './implement-service.ts'
import { OpenCalls } from './open-calls.ts'

/** What containerd's clients are built for, in both directions. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
/** A window of one stream; the HTTP/2 default of 64 KiB makes a blob wait for an acknowledgement 16 times per chunk. */
const FLOW_CONTROL_WINDOW_BYTES = 4 * 1024 * 1024
const SOCKET_MODE = 0o660
/** `sun_path` with its terminating zero. */
const MAX_SOCKET_PATH_BYTES = 107
/** For work that was begun, like the creation of a task. */
const STOP_GRACE_MS = 500
/** For the last answers to get out, when nothing is being worked on any more. */
const FLUSH_MS = 50

export interface ServerOptions {
  /** Absolute path of the unix socket. */
  readonly address: string
  readonly services: readonly ServiceImplementation[]
  readonly report: CallReporter
}

/** The gRPC endpoint. The caller must hold the root lock: only then may a left-over socket be removed. */
export class GrpcServer implements AsyncDisposable {
  readonly address: string
  readonly #server: grpc.Server
  readonly #calls: OpenCalls

  private constructor(address: string, server: grpc.Server, calls: OpenCalls) {
    this.address = address
    this.#server = server
    this.#calls = calls
  }

  /** @throws alreadyExists when another process answers on the socket */
  static async listen({ address, services, report }: ServerOptions): Promise<GrpcServer> {
    await prepareSocketPath(address)
    const server = new grpc.Server({
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
    })
    const calls = new OpenCalls()
    for (const service of services) {
      server.addService(service.definition, service.bind(report, calls))
    }
    await bind(server, address)
    return new GrpcServer(address, server, calls)
  }

  /** Ends what would not end by itself, like subscriptions; lets work that was begun end, for a moment. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => {
        resolve()
      })
    })
    this.#calls.endAll()
    await Promise.race([ended, this.#calls.answered(), sleep(STOP_GRACE_MS, undefined, NO_HOLD)])
    await Promise.race([ended, sleep(FLUSH_MS, undefined, NO_HOLD)])
    this.#server.forceShutdown()
    await ended
    removeSocket(this.address)
  }
}

/** The timer that lost the race keeps no process alive. */
const NO_HOLD = { ref: false } as const

async function prepareSocketPath(address: string): Promise<void> {
  const lengthBytes = Buffer.byteLength(address)
  if (lengthBytes > MAX_SOCKET_PATH_BYTES) {
    throw new PlatformError('invalidArgument', {
      action: 'listen',
      path: address,
      found: `a socket path of ${String(lengthBytes)} bytes`,
      wanted: `at most ${String(MAX_SOCKET_PATH_BYTES)}`,
    })
  }
  try {
    await mkdir(dirname(address), { recursive: true, mode: 0o711 })
    const existing = lstatSync(address, { throwIfNoEntry: false })
    if (existing === undefined) return
    if (!existing.isSocket()) {
      throw new PlatformError('alreadyExists', {
        action: 'listen',
        path: address,
        found: 'a file that is no socket',
        wanted: 'a free path',
      })
    }
    if (await answers(address)) {
      throw new PlatformError('alreadyExists', {
        action: 'listen',
        path: address,
        found: 'another process that serves this socket',
        wanted: 'a free path',
        hint: 'stop it, or choose another --address',
      })
    }
    unlinkSync(address)
  } catch (error) {
    throw wrapSystemError(error, { action: 'prepare the socket', path: address })
  }
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

async function bind(server: grpc.Server, address: string): Promise<void> {
  // Born with its final mode, so that there is no moment in which somebody else could connect.
  const previousUmask = process.umask(0o777 & ~SOCKET_MODE)
  try {
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${address}`, grpc.ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve()
        else reject(error)
      })
    })
    chmodSync(address, SOCKET_MODE)
  } catch (error) {
    throw wrapSystemError(error, { action: 'listen', path: address })
  } finally {
    process.umask(previousUmask)
  }
}

function removeSocket(address: string): void {
  try {
    unlinkSync(address)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT')
      throw wrapSystemError(error, { action: 'remove the socket', path: address })
  }
}
