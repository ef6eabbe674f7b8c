/** Placeholder replaced by the spec module: typed config.json. */
export interface ProcessSpec {
  readonly args: readonly string[]
}
export interface LinuxResources {
  readonly pids?: { readonly limit: bigint }
}
