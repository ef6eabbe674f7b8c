/**
 * The parts of an OCI config.json that the suites change, mutable because tests edit what the runtime's
 * own `spec` command printed.
 *
 * @see runtime-spec v1.0.2 config.md
 */
export interface SpecMount {
  destination: string
  type?: string
  source?: string
  options?: string[]
}

export interface SpecNamespace {
  type: string
  path?: string
}

export interface SpecHook {
  path: string
  args?: string[]
  env?: string[]
  timeout?: number
}

export interface SpecCapabilities {
  bounding?: string[]
  effective?: string[]
  permitted?: string[]
  inheritable?: string[]
  ambient?: string[]
}

export interface SpecProcess {
  terminal?: boolean
  consoleSize?: { height: number; width: number }
  user: { uid: number; gid: number; umask?: number; additionalGids?: number[] }
  args: string[]
  env: string[]
  cwd: string
  capabilities?: SpecCapabilities
  rlimits?: { type: string; hard: number; soft: number }[]
  noNewPrivileges?: boolean
  oomScoreAdj?: number
}

export interface SpecLinux {
  namespaces: SpecNamespace[]
  uidMappings?: { containerID: number; hostID: number; size: number }[]
  gidMappings?: { containerID: number; hostID: number; size: number }[]
  devices?: {
    type: string
    path: string
    major?: number
    minor?: number
    fileMode?: number
    uid?: number
    gid?: number
  }[]
  cgroupsPath?: string
  resources?: {
    devices?: { allow: boolean; type?: string; major?: number; minor?: number; access?: string }[]
    memory?: { limit?: number; reservation?: number }
    cpu?: { shares?: number; quota?: number; period?: number; cpus?: string }
    pids?: { limit: number }
  }
  sysctl?: Record<string, string>
  seccomp?: {
    defaultAction: string
    defaultErrnoRet?: number
    architectures?: string[]
    syscalls?: {
      names: string[]
      action: string
      errnoRet?: number
      args?: { index: number; value: number; valueTwo?: number; op: string }[]
    }[]
  }
  maskedPaths?: string[]
  readonlyPaths?: string[]
  rootfsPropagation?: string
}

export interface Spec {
  ociVersion: string
  process: SpecProcess
  root: { path: string; readonly?: boolean }
  hostname?: string
  domainname?: string
  mounts: SpecMount[]
  hooks?: Partial<
    Record<
      | 'prestart'
      | 'createRuntime'
      | 'createContainer'
      | 'startContainer'
      | 'poststart'
      | 'poststop',
      SpecHook[]
    >
  >
  annotations?: Record<string, string>
  linux: SpecLinux
}

/** What the runtime's `state` command prints. @see runtime-spec runtime.md#state */
export interface StateDocument {
  readonly ociVersion: string
  readonly id: string
  readonly status: string
  readonly pid?: number
  readonly bundle: string
  readonly annotations?: Readonly<Record<string, string>>
}
