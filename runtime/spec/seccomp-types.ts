/** linux.seccomp of config.json. @see runtime-spec v1.3 config-linux.md#seccomp */

export const SECCOMP_ACTION_NAMES = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
] as const

export type SeccompActionName = (typeof SECCOMP_ACTION_NAMES)[number]

export const SECCOMP_ARCHITECTURE_NAMES = [
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X86_64',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_ARM',
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_MIPS',
  'SCMP_ARCH_MIPS64',
  'SCMP_ARCH_MIPS64N32',
  'SCMP_ARCH_MIPSEL',
  'SCMP_ARCH_MIPSEL64',
  'SCMP_ARCH_MIPSEL64N32',
  'SCMP_ARCH_PPC',
  'SCMP_ARCH_PPC64',
  'SCMP_ARCH_PPC64LE',
  'SCMP_ARCH_S390',
  'SCMP_ARCH_S390X',
  'SCMP_ARCH_PARISC',
  'SCMP_ARCH_PARISC64',
  'SCMP_ARCH_RISCV64',
  'SCMP_ARCH_LOONGARCH64',
  'SCMP_ARCH_M68K',
  'SCMP_ARCH_SH',
  'SCMP_ARCH_SHEB',
] as const

export type SeccompArchitectureName = (typeof SECCOMP_ARCHITECTURE_NAMES)[number]

export const SECCOMP_OPERATOR_NAMES = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const

export type SeccompOperatorName = (typeof SECCOMP_OPERATOR_NAMES)[number]

export const SECCOMP_FLAG_NAMES = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
] as const

export type SeccompFlagName = (typeof SECCOMP_FLAG_NAMES)[number]

export interface SeccompSpec {
  readonly defaultAction: SeccompActionName
  /** For ERRNO (the errno) and TRACE; left out means EPERM. */
  readonly defaultErrnoRet?: number | undefined
  readonly architectures: readonly SeccompArchitectureName[]
  readonly flags: readonly SeccompFlagName[]
  readonly listenerPath?: string | undefined
  readonly listenerMetadata?: string | undefined
  readonly syscalls: readonly SeccompSyscall[]
}

export interface SeccompSyscall {
  /** At least one. */
  readonly names: readonly string[]
  readonly action: SeccompActionName
  readonly errnoRet?: number | undefined
  readonly args: readonly SeccompArgument[]
}

export interface SeccompArgument {
  /** 0 to 5. */
  readonly index: number
  readonly value: bigint
  /** The compared value of MASKED_EQ, whose mask is `value`. */
  readonly valueTwo: bigint
  readonly op: SeccompOperatorName
}
