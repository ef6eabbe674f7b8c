/** What `report facts` (conformance/programs/report.cpp) prints from inside a container. */
export interface PathFacts {
  readonly errno: number
  readonly type?: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly size?: number
  readonly major?: number
  readonly minor?: number
  readonly link?: string
  readonly readErrno?: number
  readonly writeErrno?: number
  readonly entries?: readonly string[]
  /** How many bytes a read of one byte gave; -1 when it cannot be opened. */
  readonly bytes?: number
}

export interface Facts {
  readonly pid: number
  readonly ppid: number
  readonly pgid: number
  readonly sid: number
  /** Real, effective, saved. */
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly groups: readonly number[]
  readonly umask: number
  readonly cwd: string
  readonly hostname: string
  readonly domainname: string
  readonly noNewPrivs: number
  readonly seccomp: number
  readonly dumpable: number
  readonly pdeathsig: number
  readonly oomScoreAdj: string
  readonly blockedSignals: readonly number[]
  /** The lines of /proc/self/status. */
  readonly status: Readonly<Record<string, string>>
  readonly namespaces: Readonly<Record<string, string>>
  readonly rlimits: Readonly<Record<string, { readonly soft: string; readonly hard: string }>>
  /** Descriptor number to what it links to. */
  readonly fds: Readonly<Record<string, string>>
  readonly mountinfo: readonly string[]
  readonly cgroup: readonly string[]
  readonly env: readonly string[]
  readonly tty: {
    readonly 0: boolean
    readonly 1: boolean
    readonly 2: boolean
    readonly name: string
    readonly rows: number
    readonly cols: number
    readonly controlling: boolean
  }
  readonly keyring: { readonly serial: number; readonly description: string }
  readonly uidMap: string
  readonly gidMap: string
  readonly exe: string
  readonly paths: Readonly<Record<string, PathFacts>>
}

/** Finds the facts in what a container printed, among other lines. */
export function parseFacts(output: string): Facts {
  const line = output.split(/\r?\n/).find((candidate) => candidate.startsWith('{"pid":'))
  if (line === undefined) throw new Error(`no facts in the output: ${output}`)
  return JSON.parse(line) as Facts
}

/** The facts of one path that the test asked for. */
export function pathFacts(facts: Facts, path: string): PathFacts {
  const found = facts.paths[path]
  if (found === undefined) throw new Error(`${path} was not asked for`)
  return found
}

export interface Mount {
  readonly id: number
  readonly parent: number
  readonly root: string
  readonly target: string
  /** Options of this mount: `rw`, `nosuid` … */
  readonly options: readonly string[]
  /** `shared:N`, `master:N`, `unbindable`; empty for a private mount. */
  readonly propagation: readonly string[]
  readonly type: string
  readonly source: string
  /** Options of the file system. */
  readonly superOptions: readonly string[]
}

/** @see proc_pid_mountinfo(5) */
export function parseMountinfo(lines: readonly string[]): readonly Mount[] {
  return lines.map((line) => {
    const [left = '', right = ''] = line.split(' - ')
    const [id, parent, , root = '', target = '', options = '', ...propagation] = left.split(' ')
    const [type = '', source = '', superOptions = ''] = right.split(' ')
    return {
      id: Number(id),
      parent: Number(parent),
      root,
      target,
      options: options.split(','),
      propagation: propagation.filter((word) => word !== ''),
      type,
      source,
      superOptions: superOptions.split(','),
    }
  })
}

/** The topmost mount at a place. */
export function mountAt(facts: Facts, target: string): Mount {
  const mount = parseMountinfo(facts.mountinfo).findLast((candidate) => candidate.target === target)
  if (mount === undefined)
    throw new Error(`nothing is mounted at ${target}: ${facts.mountinfo.join('\n')}`)
  return mount
}
