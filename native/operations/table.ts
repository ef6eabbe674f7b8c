/**
 * The one definition of what a plan may contain (DESIGN 4). `generate.ts` makes the TypeScript types and
 * encoder and the C++ structs and decoder from it, so the two sides cannot disagree.
 *
 * Order matters: the position is the operation code on the wire. The executor is `native/init/execute.cc`.
 */

/**
 * How a field travels.
 * - `u32`, `u64`, `i32`: little endian
 * - `string`: u32 length, bytes, NUL (the NUL lets init use it in place)
 * - `bytes`: u32 length, bytes
 * - `strings`, `u32s`: u32 count, then the elements
 * - `flag`: u32, 0 or 1
 * - `descriptor`: u32, index into the descriptors passed beside the plan
 */
export type FieldType =
  'u32' | 'u64' | 'i32' | 'string' | 'bytes' | 'strings' | 'u32s' | 'flag' | 'descriptor'

export interface OperationDefinition {
  readonly name: string
  /** What it does, for the reader of `berth-runtime plan` and of the generated code. */
  readonly doc: string
  readonly fields: Readonly<Record<string, FieldType>>
}

export const OPERATIONS = [
  // Becoming a process in the right namespaces
  {
    name: 'awaitParent',
    doc: 'Tell the parent which point is reached and wait until it has done its part (a sync point).',
    fields: { point: 'u32' },
  },
  {
    name: 'joinCgroups',
    doc: 'Move this thread into cgroup v1 hierarchies by writing 0 into their tasks files.',
    fields: { taskFiles: 'strings' },
  },
  {
    name: 'joinNamespace',
    doc: 'setns to a namespace opened by the parent; kind is its CLONE_NEW* flag.',
    fields: { file: 'descriptor', kind: 'u32' },
  },
  {
    name: 'unshareNamespaces',
    doc: 'unshare with CLONE_NEW* flags.',
    fields: { flags: 'u32' },
  },
  {
    name: 'setTimeOffset',
    doc: 'Set an offset of the new time namespace, before a process enters it.',
    fields: { clock: 'string', seconds: 'string', nanoseconds: 'u32' },
  },
  {
    name: 'forkIntoNamespaces',
    doc: 'Continue in a sibling process that is inside the pid and time namespaces; report its pidfd to the parent.',
    fields: {},
  },
  {
    name: 'becomeNamespaceRoot',
    doc: 'Become uid 0 and gid 0 of the user namespace.',
    fields: {},
  },
  { name: 'newSession', doc: 'setsid.', fields: {} },
  {
    name: 'joinSessionKeyring',
    doc: 'Join a new, empty session keyring; kernels without keyrings are let pass.',
    fields: { name: 'string' },
  },
  { name: 'setHostname', doc: 'sethostname.', fields: { name: 'string' } },
  { name: 'setDomainname', doc: 'setdomainname.', fields: { name: 'string' } },
  {
    name: 'loopbackUp',
    doc: 'Bring up the loopback interface of the new network namespace.',
    fields: {},
  },
  {
    name: 'setOomScoreAdj',
    doc: 'Write oom_score_adj of this process.',
    fields: { value: 'i32' },
  },
  {
    name: 'setRlimit',
    doc: 'setrlimit.',
    fields: { resource: 'u32', soft: 'u64', hard: 'u64' },
  },

  // The root file system
  {
    name: 'setRootPropagation',
    doc: 'Change the propagation of / with MS_* flags.',
    fields: { flags: 'u32' },
  },
  {
    name: 'openPrivateProc',
    doc: 'Make a detached procfs of this pid namespace for our own use (rule R3).',
    fields: {},
  },
  {
    name: 'openRootfs',
    doc: 'Bind the root file system onto itself, make its parent private, and keep it open: all later paths resolve inside it.',
    fields: { path: 'string' },
  },
  {
    name: 'mountFilesystem',
    doc: 'Make a new mount with fsopen and attach it; attributes are MOUNT_ATTR_*, propagation MS_* or 0.',
    fields: {
      type: 'string',
      source: 'string',
      options: 'strings',
      target: 'string',
      attributes: 'u32',
      propagation: 'u32',
      realDirectory: 'flag',
      mayCoverProc: 'flag',
    },
  },
  {
    name: 'bindMount',
    doc: 'Clone a mount tree of the host, change its attributes while it is detached, attach it.',
    fields: {
      source: 'string',
      target: 'string',
      recursive: 'flag',
      set: 'u32',
      clear: 'u32',
      setRecursive: 'u32',
      clearRecursive: 'u32',
      propagation: 'u32',
      mayCoverProc: 'flag',
    },
  },
  {
    name: 'makeDirectory',
    doc: 'Make a directory and its missing parents inside the root.',
    fields: { path: 'string' },
  },
  {
    name: 'makeSymlink',
    doc: 'Make a symbolic link inside the root; an existing entry is left alone.',
    fields: { target: 'string', path: 'string' },
  },
  {
    name: 'makeDevice',
    doc: 'mknod inside the root; mode holds type and permission bits.',
    fields: { path: 'string', mode: 'u32', major: 'u32', minor: 'u32', uid: 'u32', gid: 'u32' },
  },
  {
    name: 'bindDevice',
    doc: 'Bind a device node of the host where mknod is not permitted (user namespaces).',
    fields: { path: 'string' },
  },
  {
    name: 'runHook',
    doc: 'Run a hook as a child; its stdin is the state: head, own pid, tail.',
    fields: {
      path: 'string',
      argv: 'strings',
      env: 'strings',
      stateHead: 'string',
      stateTail: 'string',
      timeoutMs: 'u32',
    },
  },
  {
    name: 'setMountAttributes',
    doc: 'mount_setattr on what is mounted at a path inside the root, MOUNT_ATTR_*.',
    fields: { target: 'string', set: 'u32' },
  },
  { name: 'pivotRoot', doc: 'pivot_root into the rootfs and detach the old root.', fields: {} },
  {
    name: 'moveRoot',
    doc: 'Move the rootfs over / and chroot, for a root that cannot pivot (initramfs).',
    fields: {},
  },
  {
    name: 'openConsole',
    doc: "Make a terminal in the container's devpts, send its master to the parent, make it stdio and controlling terminal.",
    fields: { rows: 'u32', columns: 'u32', uid: 'u32', bindConsole: 'flag' },
  },
  {
    name: 'writeSysctl',
    doc: 'Write a sysctl through the private procfs.',
    fields: { path: 'string', value: 'string' },
  },
  {
    name: 'setRootAttributes',
    doc: 'mount_setattr on the root mount, MOUNT_ATTR_*.',
    fields: { set: 'u32', propagation: 'u32' },
  },
  {
    name: 'readonlyPath',
    doc: 'Make a path read-only; a missing one is let pass.',
    fields: { path: 'string' },
  },
  {
    name: 'maskPath',
    doc: "Cover a file with the host's verified /dev/null, a directory with an empty read-only tmpfs; a missing one is let pass.",
    fields: { path: 'string' },
  },

  // The identity of the program
  { name: 'setPersonality', doc: 'personality.', fields: { persona: 'u32' } },
  { name: 'setIoPriority', doc: 'ioprio_set of this process.', fields: { priority: 'u32' } },
  {
    name: 'setScheduler',
    doc: 'sched_setattr of this process.',
    fields: {
      policy: 'u32',
      flags: 'u64',
      nice: 'i32',
      priority: 'u32',
      runtime: 'u64',
      deadline: 'u64',
      period: 'u64',
    },
  },
  { name: 'setUmask', doc: 'umask.', fields: { mask: 'u32' } },
  {
    name: 'writeLabel',
    doc: 'Write an LSM label for the next exec below /proc/self/attr of the private procfs.',
    fields: { attribute: 'string', value: 'string' },
  },
  { name: 'setNoNewPrivileges', doc: 'PR_SET_NO_NEW_PRIVS.', fields: {} },
  {
    name: 'loadSeccomp',
    doc: 'Install a seccomp filter (struct sock_filter array) with SECCOMP_FILTER_FLAG_*.',
    fields: { flags: 'u32', program: 'bytes' },
  },
  {
    name: 'ownStdio',
    doc: 'Give stdin, stdout and stderr to the user, so that the program can open /dev/stdout again.',
    fields: { uid: 'u32' },
  },
  {
    name: 'dropBoundingCapabilities',
    doc: 'Drop every capability that is not in the mask from the bounding set.',
    fields: { keep: 'u64' },
  },
  {
    name: 'setIdentity',
    doc: 'setgroups, setresgid, setresuid, keeping capabilities for the next operation.',
    fields: { uid: 'u32', gid: 'u32', groups: 'u32s', setGroups: 'flag' },
  },
  {
    name: 'setCapabilities',
    doc: 'capset and the ambient set.',
    fields: { effective: 'u64', permitted: 'u64', inheritable: 'u64', ambient: 'u64' },
  },
  {
    name: 'changeDirectory',
    doc: 'chdir, and verify that the directory is inside the root (rule R5). A deferrable one that is denied is left to the next, as the user.',
    fields: { path: 'string', deferrable: 'flag' },
  },
  {
    name: 'resolveExecutable',
    doc: 'Find the first candidate that is an executable file; none found is the failure.',
    fields: { candidates: 'strings' },
  },

  // Running it
  {
    name: 'findHome',
    doc: "Set HOME from the container's /etc/passwd for the program, `/` when the user has no line there.",
    fields: { uid: 'u32' },
  },
  {
    name: 'awaitStart',
    doc: 'Report ready, then wait for somebody to connect to the start socket.',
    fields: { socket: 'descriptor' },
  },
  {
    name: 'execute',
    doc: 'execve of the resolved executable.',
    fields: { argv: 'strings', env: 'strings' },
  },
] as const satisfies readonly OperationDefinition[]

/** The points at which init waits for its parent. */
export const SYNC_POINTS = {
  /** A user namespace was unshared: write its id maps. */
  idMap: 1,
  /** Mounts are there, the old root is still visible: run prestart and createRuntime hooks. */
  createRuntime: 2,
} as const

/** What failed inside an operation, named after the system call; the position is the code in the failure record. */
export const STEPS = [
  'read plan',
  'decode plan',
  'recvmsg',
  'sendmsg',
  'setns',
  'unshare',
  'clone3',
  'setresuid',
  'setresgid',
  'setgroups',
  'setsid',
  'keyctl',
  'sethostname',
  'setdomainname',
  'ioctl',
  'open',
  'read',
  'write',
  'setrlimit',
  'mount',
  'open_tree',
  'move_mount',
  'mount_setattr',
  'openat2',
  'mkdirat',
  'mknodat',
  'symlinkat',
  'fchownat',
  'fchmodat',
  'fsopen',
  'fsconfig',
  'fsmount',
  'check target',
  'check device',
  'pivot_root',
  'umount2',
  'chroot',
  'chdir',
  'getcwd',
  'run hook',
  'hook exit',
  'hook timeout',
  'personality',
  'ioprio_set',
  'sched_setattr',
  'prctl',
  'seccomp',
  'capset',
  'find executable',
  'accept',
  'dup3',
  'execve',
  'close_range',
] as const
