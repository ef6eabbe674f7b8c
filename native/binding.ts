/**
 * The only file that loads the addon. Every function is a thin system call or a service of the one native
 * thread (reaper, pumps, readiness); what to do with them is decided in TypeScript.
 *
 * Failures are thrown as `NativeError`: `code` is the symbolic errno, `syscall` what failed.
 */
import { join } from 'node:path'
import { programDirectory } from './program-directory.ts'

/** What the addon throws. */
export interface NativeError extends Error {
  readonly code: string
  readonly errno: number
  readonly syscall: string
}

export interface SpawnOptions {
  /** What to execute: an open descriptor (`execveat` with AT_EMPTY_PATH) or an absolute path. */
  readonly executable: number | string
  readonly argv: readonly string[]
  /** `NAME=value` strings; nothing is inherited. */
  readonly env: readonly string[]
  /** Descriptor `i` of the child is `fds[i]` of the caller, -1 opens /dev/null. All others are closed. */
  readonly fds: readonly number[]
  /**
   * CLONE_NEW* flags for namespaces that the child gets from its first instruction. With CLONE_NEWUSER it
   * executes before anybody can write its id maps, and so without capabilities.
   */
  readonly cloneFlags?: number
  /** Descriptor of a cgroup v2 directory for CLONE_INTO_CGROUP. While it is frozen, `spawn` does not return. */
  readonly cgroupFd?: number
  readonly cwd?: string
  /** Make the child leader of a new session. */
  readonly newSession?: boolean
  /** Make the child leader of a new process group. */
  readonly newProcessGroup?: boolean
}

export interface SpawnedProcess {
  /** As seen in the caller's pid namespace. */
  readonly pid: number
  /** Owned by the caller, close-on-exec. */
  readonly pidfd: number
}

/** How a process ended. `unknown`: it is gone and the kernel could not tell (not a child, and no PIDFD_INFO_EXIT). */
export type ProcessExit =
  | { readonly kind: 'exited'; readonly exitCode: number; readonly exitedAtNs: bigint }
  | { readonly kind: 'signaled'; readonly signal: number; readonly exitedAtNs: bigint }
  | { readonly kind: 'unknown'; readonly exitedAtNs: bigint }

export interface ReceivedMessage {
  /** Empty when the peer has closed. */
  readonly data: Buffer
  /** Owned by the caller, close-on-exec. */
  readonly fds: readonly number[]
}

export interface MountAttributes {
  /** MOUNT_ATTR_* bits to set and clear. */
  readonly set: number
  readonly clear: number
  /** MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE or 0 for unchanged. */
  readonly propagation?: number
  /** For MOUNT_ATTR_IDMAP. */
  readonly usernsFd?: number
}

export interface PeerCredentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

export interface PumpOptions {
  /** Non-blocking is set by the pump. Both descriptors belong to the pump from now on: it closes them at the end. */
  readonly source: number
  readonly sink: number
  /**
   * Called once, when the source ended, the sink failed or the pump was stopped, with the bytes moved and,
   * unless it was an orderly end, why (EPIPE: nobody reads the sink any more). Both descriptors are closed
   * by then. A terminal master's EIO counts as the end.
   */
  readonly onEnd: (bytes: bigint, failure?: NativeError) => void
}

/** One seccomp rule as libseccomp takes it; numbers, not names, for operators are kept in TypeScript. */
export interface SeccompRule {
  /** System call names; a name this libseccomp does not know is skipped, as runc does. */
  readonly names: readonly string[]
  /** SCMP_ACT_* value with errno or trace data in the low 16 bits. */
  readonly action: number
  readonly args: readonly {
    readonly index: number
    readonly value: bigint
    readonly valueTwo: bigint
    /** SCMP_CMP_* */
    readonly op: number
  }[]
}

export interface SeccompProfile {
  readonly defaultAction: number
  /** SCMP_ARCH_* tokens beside the native one. */
  readonly architectures: readonly number[]
  readonly rules: readonly SeccompRule[]
}

export interface NativeBinding {
  // Processes
  spawn(options: SpawnOptions): SpawnedProcess
  pidfdOpen(pid: number): number
  /** @throws ESRCH when the process is gone */
  pidfdSendSignal(pidfd: number, signal: number): void
  /**
   * The exit of a process that somebody else reaped (PIDFD_GET_INFO, Linux 6.15); `unknown` where it cannot
   * be known. Never reaps.
   * @throws EAGAIN while it runs, or is a zombie whose parent has not reaped it
   */
  pidfdExit(pidfd: number): ProcessExit
  /**
   * Waits for a process on the native thread and reaps it if it is our child. Keeps the event loop alive
   * until it fires. The pidfd stays the caller's and must stay open until then.
   */
  watchExit(pidfd: number, onExit: (exit: ProcessExit) => void): void
  setChildSubreaper(): void
  /**
   * Reap re-parented orphans nobody watches, from now on (the shim). What `spawn` started is left to its
   * watcher; children started in any other way (node:child_process) may be reaped here, so such a program
   * uses `spawn` only. Does not keep the event loop alive.
   */
  reapOrphans(): void
  /**
   * Leaves orphans unreaped until `releaseOrphans`; holds nest. For the time in which a process is about to
   * become known: what a runtime left behind may end before its pid file has been read, and is then still
   * there to be opened and watched.
   */
  holdOrphans(): void
  releaseOrphans(): void
  setDumpable(dumpable: boolean): void
  setParentDeathSignal(signal: number): void

  // Descriptors and sockets
  /** A sealed memfd (no write, shrink, grow) with a copy of the bytes, close-on-exec. */
  sealedMemfd(name: string, contents: Uint8Array): number
  /** A sealed executable memfd with a copy of the file. @see security.md S-03 */
  sealedMemfdFromFile(name: string, path: string): number
  /** A pipe, close-on-exec, blocking: [read end, write end]. */
  pipe(): readonly [number, number]
  /** SOCK_SEQPACKET pair, close-on-exec, non-blocking. */
  socketpair(): readonly [number, number]
  /**
   * Connects a blocking stream socket, close-on-exec. `path` may be `/proc/self/fd/N/name` to beat the 108-byte limit.
   * @throws EAGAIN when the listener has stopped accepting and its queue is full
   */
  connectUnix(path: string): number
  /** Binds and listens, mode 0600, close-on-exec, non-blocking. */
  listenUnix(path: string): number
  /** Close-on-exec, non-blocking. @throws EAGAIN when nobody is waiting to connect */
  accept(listenFd: number): number
  /** @throws EMSGSIZE when a non-blocking stream took only a part: the stream is of no more use */
  sendMessage(socketFd: number, data: Uint8Array, fds: readonly number[]): void
  /**
   * @throws EAGAIN when the socket is non-blocking and nothing is there
   * @throws EMSGSIZE when a packet is longer than `maxBytes`; it is lost, with its descriptors
   */
  receiveMessage(socketFd: number, maxBytes: number): ReceivedMessage
  peerCredentials(socketFd: number): PeerCredentials
  /** Calls back once when the descriptor is readable or hung up. Keeps the event loop alive until then. */
  watchReadable(fd: number, onReadable: () => void): void
  /** Forgets a pending watchReadable. Returns false when it has fired already. */
  unwatchReadable(fd: number): boolean
  /** LOCK_* of flock(2). @throws EAGAIN when LOCK_NB and taken */
  flock(fd: number, operation: number): void
  syncfs(fd: number): void
  dupCloexec(fd: number): number
  eventfd(): number
  /** Makes a named pipe; the umask applies. */
  mkfifo(path: string, mode: number): void

  // Paths and mounts
  /** @see openat2(2); `flags`, `mode`, `resolve` are passed through, O_CLOEXEC is added */
  openat2(dirFd: number, path: string, flags: number, mode: number, resolve: number): number
  fsopen(type: string): number
  fsconfigString(fsFd: number, key: string, value: string): void
  fsconfigFlag(fsFd: number, key: string): void
  fsconfigFd(fsFd: number, key: string, fd: number): void
  fsconfigCreate(fsFd: number): void
  /** Returns a detached mount. @throws with the kernel's own log lines in `message` where there are some */
  fsmount(fsFd: number, attributes: number): number
  openTree(dirFd: number, path: string, flags: number): number
  /** Attaches a detached mount on a directory or file named by a path below a descriptor (AT_FDCWD is -100). */
  moveMount(mountFd: number, dirFd: number, path: string): void
  mountSetattr(dirFd: number, path: string, recursive: boolean, attributes: MountAttributes): void
  /** MNT_* | UMOUNT_NOFOLLOW of umount2(2) */
  umount(path: string, flags: number): void

  // Terminals
  /** A new pseudo-terminal in the caller's devpts: [master, slave]. */
  openPty(): readonly [number, number]
  setTerminalSize(fd: number, size: TerminalSize): void
  getTerminalSize(fd: number): TerminalSize
  /** Puts a terminal into raw mode and returns what restores it. */
  setRawMode(fd: number): Buffer
  restoreMode(fd: number, saved: Buffer): void

  // Data plane
  /** Starts moving bytes on the native thread; returns a handle for `stopPump`. */
  startPump(options: PumpOptions): number
  /**
   * Ends a pump after what is readable now has been moved, then calls onEnd. While the sink takes nothing
   * that does not come; a second call ends it at once and drops the rest. Nothing happens to one that has ended.
   */
  stopPump(handle: number): void

  // Filters
  /** The BPF program (struct sock_filter array) libseccomp makes of the profile. */
  compileSeccomp(profile: SeccompProfile): Buffer
  /** Loads a BPF_PROG_TYPE_CGROUP_DEVICE program; returns its descriptor. */
  bpfLoadDeviceProgram(instructions: Uint8Array): number
  bpfAttachDevice(cgroupFd: number, programFd: number): void
}

let loaded: NativeBinding | undefined

/** The addon, loaded at the first call. */
export function native(): NativeBinding {
  if (loaded === undefined) {
    const module: { exports: unknown } = { exports: {} }
    process.dlopen(module, join(programDirectory(), 'berth.node'))
    loaded = module.exports as NativeBinding
  }
  return loaded
}
