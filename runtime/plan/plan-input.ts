/** What a plan is made from beside the Spec: facts of the host, gathered by `launch`, so that planning stays pure. */

/** One cgroup v1 hierarchy as the container is to see it below its cgroup mount. */
export interface CgroupHierarchy {
  /** Directory name, `cpu,cpuacct`. */
  readonly name: string
  /** Options of a fresh mount: controllers or `name=systemd`. */
  readonly mountOptions: readonly string[]
  /** The container's own cgroup directory on the host. */
  readonly hostPath: string
}

export type CgroupView =
  | { readonly version: 1; readonly hierarchies: readonly CgroupHierarchy[] }
  | { readonly version: 2; readonly hostPath: string }

export interface SeccompFilter {
  /** SECCOMP_FILTER_FLAG_* */
  readonly flags: number
  /** struct sock_filter array; empty when the Spec has no seccomp. */
  readonly program: Uint8Array
}

export interface PlanInput {
  readonly containerId: string
  /** Absolute. */
  readonly bundle: string
  /** undefined: the Spec mounts no cgroup file system. */
  readonly cgroup?: CgroupView | undefined
  /** Files of cgroup v1 by which init joins the container's cgroups; on v2 it is born there. */
  readonly cgroupTaskFiles: readonly string[]
  readonly seccomp?: SeccompFilter | undefined
  readonly noPivot?: boolean | undefined
  readonly noNewKeyring?: boolean | undefined
}
