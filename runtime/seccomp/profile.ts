/** linux.seccomp → the numbers libseccomp takes. @see runtime-spec v1.3 config-linux.md#seccomp, seccomp.h */
import type { SeccompProfile, SeccompRule } from '../../native/binding.ts'
import type {
  SeccompActionName,
  SeccompArchitectureName,
  SeccompArgument,
  SeccompFlagName,
  SeccompOperatorName,
  SeccompSpec,
  SeccompSyscall,
} from '../spec/seccomp-types.ts'

/** SCMP_ACT_*; for ERRNO and TRACE the low 16 bits carry data. */
const ACTIONS: Readonly<Record<SeccompActionName, number>> = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
}

const EPERM = 1
const ACTION_DATA_MASK = 0xffff

/** SCMP_ARCH_*: AUDIT_ARCH_* of linux/audit.h. */
const ARCHITECTURES: Readonly<Record<SeccompArchitectureName, number>> = {
  SCMP_ARCH_X86: 0x4000_0003,
  SCMP_ARCH_X86_64: 0xc000_003e,
  SCMP_ARCH_X32: 0x4000_003e,
  SCMP_ARCH_ARM: 0x4000_0028,
  SCMP_ARCH_AARCH64: 0xc000_00b7,
  SCMP_ARCH_MIPS: 0x0000_0008,
  SCMP_ARCH_MIPS64: 0x8000_0008,
  SCMP_ARCH_MIPS64N32: 0xa000_0008,
  SCMP_ARCH_MIPSEL: 0x4000_0008,
  SCMP_ARCH_MIPSEL64: 0xc000_0008,
  SCMP_ARCH_MIPSEL64N32: 0xe000_0008,
  SCMP_ARCH_PPC: 0x0000_0014,
  SCMP_ARCH_PPC64: 0x8000_0015,
  SCMP_ARCH_PPC64LE: 0xc000_0015,
  SCMP_ARCH_S390: 0x0000_0016,
  SCMP_ARCH_S390X: 0x8000_0016,
  SCMP_ARCH_PARISC: 0x0000_000f,
  SCMP_ARCH_PARISC64: 0x8000_000f,
  SCMP_ARCH_RISCV64: 0xc000_00f3,
  SCMP_ARCH_LOONGARCH64: 0xc000_0102,
  SCMP_ARCH_M68K: 0x0000_0004,
  SCMP_ARCH_SH: 0x4000_002a,
  SCMP_ARCH_SHEB: 0x0000_002a,
}

const OPERATORS: Readonly<Record<SeccompOperatorName, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
}

/** SECCOMP_FILTER_FLAG_* of linux/seccomp.h. */
const FLAGS: Readonly<Record<SeccompFlagName, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
}

export function seccompFlags(flags: readonly SeccompFlagName[]): number {
  return flags.reduce((bits, flag) => bits | FLAGS[flag], 0)
}

export function seccompProfile(seccomp: SeccompSpec): SeccompProfile {
  const defaultAction = actionNumber(seccomp.defaultAction, seccomp.defaultErrnoRet)
  return {
    defaultAction,
    architectures: seccomp.architectures.map((name) => ARCHITECTURES[name]),
    rules: seccomp.syscalls
      .flatMap(splitConditions)
      .map(toRule)
      // libseccomp refuses a rule that changes nothing.
      .filter(({ action }) => action !== defaultAction),
  }
}

/**
 * libseccomp compares each argument once per rule. Several comparisons of one argument are alternatives,
 * each a rule of its own: runc reads them so, and profiles are written for that.
 */
function splitConditions(syscall: SeccompSyscall): readonly SeccompSyscall[] {
  const indices = syscall.args.map(({ index }) => index)
  const isAmbiguous = new Set(indices).size < indices.length
  return isAmbiguous ? syscall.args.map((arg) => ({ ...syscall, args: [arg] })) : [syscall]
}

function toRule({ names, action, errnoRet, args }: SeccompSyscall): SeccompRule {
  return { names, action: actionNumber(action, errnoRet), args: args.map(toArgument) }
}

function toArgument({ index, value, valueTwo, op }: SeccompArgument): SeccompRule['args'][number] {
  return { index, value, valueTwo, op: OPERATORS[op] }
}

/** The data belongs to ERRNO and TRACE only; left out it is EPERM. */
function actionNumber(name: SeccompActionName, data: number | undefined): number {
  const base = ACTIONS[name]
  const hasData = name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE'
  return hasData ? base + ((data ?? EPERM) & ACTION_DATA_MASK) : base
}
