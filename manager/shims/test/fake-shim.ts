/** A shim in the test's own process: the program only prints where it listens. */
import { chmod, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { TaskDefinition } from '../../../proto/generated/containerd/runtime/task/v2/shim.ts'
import { Status } from '../../../proto/generated/containerd/types/task/task.ts'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import type { Handlers } from '../../../proto/ttrpc/definition.ts'
import { TtrpcServer } from '../../../proto/ttrpc/server.ts'

type TaskHandlers = Handlers<typeof TaskDefinition>

export const INIT_PID = 4_000_001
export const SHIM_PID = 4_000_002

export class FakeShim {
  readonly programPath: string
  readonly calls: string[] = []
  readonly #socketPath: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #exits: ((exitStatus: number) => void)[] = []
  isCreated = false
  /** Instead of the usual answers. */
  overrides: Partial<TaskHandlers> = {}

  private constructor(directory: string) {
    this.programPath = join(directory, 'containerd-shim-fake-v2')
    this.#socketPath = join(directory, 'shim.sock')
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      const rpc = new TtrpcServer()
      rpc.register(TaskDefinition, this.#handlers())
      rpc.serveSocket(socket)
    })
  }

  static async start(directory: string): Promise<FakeShim> {
    const shim = new FakeShim(directory)
    const script = `#!/bin/sh
for last; do :; done
echo "$last" >> ${join(directory, 'verbs')}
test "$last" = start && echo unix://${shim.#socketPath}
exit 0
`
    await writeFile(shim.programPath, script)
    await chmod(shim.programPath, 0o755)
    await shim.listen()
    return shim
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen({ path: this.#socketPath }, resolve))
  }

  /** All connections break, and nobody listens any more. */
  async die(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** The init exits. */
  exit(exitStatus: number): void {
    for (const resolve of this.#exits.splice(0)) resolve(exitStatus)
  }

  #handlers(): TaskHandlers {
    const done = (name: string): Promise<object> => {
      this.calls.push(name)
      return Promise.resolve({})
    }
    const exited = { pid: INIT_PID, exitStatus: 7, exitedAt: { seconds: 5n, nanos: 0 } }
    const usual: TaskHandlers = {
      create: () => {
        this.isCreated = true
        return done('create').then(() => ({ pid: INIT_PID }))
      },
      start: () => done('start').then(() => ({ pid: INIT_PID })),
      delete: () => done('delete').then(() => exited),
      connect: () => Promise.resolve({ shimPid: SHIM_PID, taskPid: INIT_PID, version: '' }),
      wait: () =>
        new Promise((resolve) =>
          this.#exits.push((exitStatus) => {
            resolve({ exitStatus, exitedAt: exited.exitedAt })
          }),
        ),
      state: ({ id }) => {
        if (!this.isCreated) return Promise.reject(new PlatformError('notFound', `no ${id}`))
        const io = { stdin: '', stdout: '', stderr: '', terminal: false }
        const state = { id, bundle: '', pid: INIT_PID, status: Status.RUNNING, execId: '' }
        return Promise.resolve({ ...state, ...io, exitStatus: 0, exitedAt: undefined })
      },
      pids: () => Promise.resolve({ processes: [{ pid: INIT_PID, info: undefined }] }),
      stats: () => Promise.resolve({ stats: undefined }),
      pause: () => done('pause'),
      resume: () => done('resume'),
      checkpoint: () => done('checkpoint'),
      kill: () => done('kill'),
      exec: () => done('exec'),
      resizePty: () => done('resizePty'),
      closeIO: () => done('closeIO'),
      update: () => done('update'),
      shutdown: () => done('shutdown'),
    }
    return { ...usual, ...this.overrides }
  }
}
