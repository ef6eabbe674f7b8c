/**
 * Device rules → eBPF program for cgroup v2, as bytes. It decides each kind of access by the last rule
 * that speaks of it, so the list means exactly what the document says.
 *
 * @see bpf(2), linux/bpf.h: struct bpf_insn, struct bpf_cgroup_dev_ctx
 */
import type { DeviceAccess, DeviceRule } from '../spec/types.ts'
import { isTotal } from './device-rules.ts'

/** BPF_DEVCG_DEV_* and BPF_DEVCG_ACC_* of linux/bpf.h. */
const DEVICE_TYPE = { b: 1, c: 2 } as const
const ACCESS_MKNOD = 1
const ACCESS_READ = 2
const ACCESS_WRITE = 4

/** Opcodes: class | size or operation | source. @see instruction-set.rst of the kernel */
const LOAD_WORD = 0x61
const MOV32_IMMEDIATE = 0xb4
const MOV32_REGISTER = 0xbc
const AND32_IMMEDIATE = 0x54
const RIGHT_SHIFT32_IMMEDIATE = 0x74
const JUMP_ALWAYS = 0x05
const JUMP32_NOT_EQUAL = 0x56
const JUMP32_SET = 0x46
const EXIT = 0x95

/** Registers by what they hold. */
const RESULT = 0
const CONTEXT = 1
const TYPE = 2
/** Bits of the request that no rule has granted yet. */
const PENDING = 3
const MAJOR = 4
const MINOR = 5

interface Instruction {
  readonly opcode: number
  readonly destination?: number
  readonly source?: number
  /** Jump distance or byte offset. */
  readonly offset?: number
  readonly immediate?: number
}

const VERDICT = (allowed: 0 | 1): readonly Instruction[] => [
  { opcode: MOV32_IMMEDIATE, destination: RESULT, immediate: allowed },
  { opcode: EXIT },
]

const PROLOGUE: readonly Instruction[] = [
  { opcode: LOAD_WORD, destination: TYPE, source: CONTEXT, offset: 0 },
  { opcode: MOV32_REGISTER, destination: PENDING, source: TYPE },
  { opcode: AND32_IMMEDIATE, destination: TYPE, immediate: 0xffff },
  { opcode: RIGHT_SHIFT32_IMMEDIATE, destination: PENDING, immediate: 16 },
  { opcode: LOAD_WORD, destination: MAJOR, source: CONTEXT, offset: 4 },
  { opcode: LOAD_WORD, destination: MINOR, source: CONTEXT, offset: 8 },
]

/** @param rules in order, a later one wins; what none speaks of is denied */
export function compileDeviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const lastTotal = rules.findLastIndex(isTotal)
  const relevant = rules.slice(Math.max(lastTotal, 0)).toReversed()
  return encode([...PROLOGUE, ...relevant.flatMap(compileRule), ...VERDICT(0)])
}

/** Falls through to what follows when the rule does not decide. */
function compileRule(rule: DeviceRule): readonly Instruction[] {
  const body = rule.allow ? compileAllow(rule.access) : compileDeny(rule.access)
  const conditions: readonly (readonly [number, number])[] = [
    ...(rule.type === 'a' ? [] : [[TYPE, DEVICE_TYPE[rule.type]] as const]),
    ...(rule.major === undefined ? [] : [[MAJOR, rule.major] as const]),
    ...(rule.minor === undefined ? [] : [[MINOR, rule.minor] as const]),
  ]
  const tests = conditions.map(([register, value], index): Instruction => ({
    opcode: JUMP32_NOT_EQUAL,
    destination: register,
    immediate: value,
    offset: conditions.length - index - 1 + body.length,
  }))
  return [...tests, ...body]
}

function compileAllow(access: DeviceAccess): readonly Instruction[] {
  const verdict = VERDICT(1)
  return [
    { opcode: AND32_IMMEDIATE, destination: PENDING, immediate: ~accessBits(access) },
    { opcode: JUMP32_NOT_EQUAL, destination: PENDING, immediate: 0, offset: verdict.length },
    ...verdict,
  ]
}

function compileDeny(access: DeviceAccess): readonly Instruction[] {
  const verdict = VERDICT(0)
  return [
    { opcode: JUMP32_SET, destination: PENDING, immediate: accessBits(access), offset: 1 },
    { opcode: JUMP_ALWAYS, offset: verdict.length },
    ...verdict,
  ]
}

function accessBits({ read, write, mknod }: DeviceAccess): number {
  return (read ? ACCESS_READ : 0) | (write ? ACCESS_WRITE : 0) | (mknod ? ACCESS_MKNOD : 0)
}

/** struct bpf_insn: opcode, two register nibbles, s16 offset, s32 immediate; little endian like the machines we support. */
function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8)
  const view = new DataView(bytes.buffer)
  for (const [index, instruction] of instructions.entries()) {
    const { opcode, destination = 0, source = 0, offset = 0, immediate = 0 } = instruction
    view.setUint8(index * 8, opcode)
    view.setUint8(index * 8 + 1, destination | (source << 4))
    view.setInt16(index * 8 + 2, offset, true)
    view.setInt32(index * 8 + 4, immediate, true)
  }
  return bytes
}
