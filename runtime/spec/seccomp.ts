/** @see runtime-spec v1.3 config-linux.md#seccomp */
import { type ObjectReader, UINT32, UINT64 } from './reader.ts'
import {
  SECCOMP_ACTION_NAMES,
  SECCOMP_ARCHITECTURE_NAMES,
  SECCOMP_FLAG_NAMES,
  SECCOMP_OPERATOR_NAMES,
  type SeccompArgument,
  type SeccompSpec,
  type SeccompSyscall,
} from './seccomp-types.ts'

export function parseSeccomp(reader: ObjectReader): SeccompSpec {
  return {
    defaultAction: reader.name('defaultAction', SECCOMP_ACTION_NAMES),
    defaultErrnoRet: reader.optionalInteger('defaultErrnoRet', UINT32),
    architectures: reader.names('architectures', SECCOMP_ARCHITECTURE_NAMES),
    flags: reader.names('flags', SECCOMP_FLAG_NAMES),
    listenerPath: reader.nonEmptyString('listenerPath'),
    listenerMetadata: reader.nonEmptyString('listenerMetadata'),
    syscalls: reader.objects('syscalls', parseSyscall),
  }
}

function parseSyscall(reader: ObjectReader): SeccompSyscall {
  const names = reader.strings('names')
  if (names.length === 0) reader.fail('names', 'at least one system call')
  return {
    names,
    action: reader.name('action', SECCOMP_ACTION_NAMES),
    errnoRet: reader.optionalInteger('errnoRet', UINT32),
    args: reader.objects('args', parseArgument),
  }
}

function parseArgument(reader: ObjectReader): SeccompArgument {
  return {
    index: reader.integer('index', { min: 0, max: 5 }),
    value: reader.bigint('value', UINT64),
    valueTwo: reader.optionalBigInt('valueTwo', UINT64) ?? 0n,
    op: reader.name('op', SECCOMP_OPERATOR_NAMES),
  }
}
