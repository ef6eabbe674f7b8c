import assert from 'node:assert/strict'
import { closeSync } from 'node:fs'
import type { SeccompProfile, SeccompRule } from '../binding.ts'
import { native } from '../binding.ts'
import { checkDescriptors, closeAll, drain, finish, needRoot } from './support.ts'

const ALLOW = 0x7fff0000
const ERRNO = 0x00050000
const EXDEV = 18
const ARCH_X86 = 0x40000003
const SCMP_CMP_EQ = 4

const profile = (
  rules: readonly SeccompRule[],
  architectures: readonly number[] = [],
): SeccompProfile => ({
  defaultAction: ALLOW,
  architectures,
  rules,
})

/** Loads a program into itself (prctl PR_SET_NO_NEW_PRIVS, then PR_SET_SECCOMP), then says what two calls return. */
const PROBE = `
  open(my $in, '<&=', 3); binmode $in; local $/; my $code = <$in>;
  my $program = pack('S x6 P', length($code) / 8, $code);
  syscall(157, 38, 1, 0, 0, 0) == 0 or die "no_new_privs $!";
  syscall(157, 22, 2, $program) == 0 or die "seccomp $!";
  for my $mask (0, 7) { $! = 0; my $result = syscall(95, $mask); print $result < 0 ? $! + 0 : 'ok', "\\n" }
`

async function probe(program: Buffer): Promise<string> {
  const file = native().sealedMemfd('program', program)
  const [readEnd, writeEnd] = native().pipe()
  const child = native().spawn({
    executable: '/usr/bin/perl',
    argv: ['perl', '-e', PROBE],
    env: [],
    fds: [-1, writeEnd, writeEnd, file],
  })
  closeAll(file, writeEnd)
  const output = await drain(readEnd)
  await finish(child)
  return output.toString()
}

describe('compileSeccomp', () => {
  checkDescriptors()

  it('makes a program that denies what a rule names', async () => {
    const rules = [{ names: ['umask'], action: ERRNO | EXDEV, args: [] }]
    assert.equal(await probe(native().compileSeccomp(profile(rules))), '18\n18\n')
  })

  it('compares arguments', async () => {
    const args = [{ index: 0, value: 7n, valueTwo: 0n, op: SCMP_CMP_EQ }]
    const rules = [{ names: ['umask'], action: ERRNO | EXDEV, args }]
    assert.equal(await probe(native().compileSeccomp(profile(rules))), 'ok\n18\n')
  })

  it('skips names that it does not know', () => {
    const known = profile([{ names: ['umask'], action: ERRNO, args: [] }])
    const unknown = profile([{ names: ['umask', 'no_such_call'], action: ERRNO, args: [] }])
    assert.deepEqual(native().compileSeccomp(unknown), native().compileSeccomp(known))
  })

  it('skips rules that say what the default says', () => {
    const rules = [{ names: ['umask'], action: ALLOW, args: [] }]
    assert.deepEqual(native().compileSeccomp(profile(rules)), native().compileSeccomp(profile([])))
  })

  it('covers further architectures', () => {
    const rules = [{ names: ['umask'], action: ERRNO, args: [] }]
    const one = native().compileSeccomp(profile(rules))
    const two = native().compileSeccomp(profile(rules, [ARCH_X86]))
    assert.ok(two.byteLength > one.byteLength)
    assert.equal(two.byteLength % 8, 0)
  })

  it('names what libseccomp refuses', () => {
    assert.throws(() => native().compileSeccomp(profile([], [1])), {
      code: 'EINVAL',
      syscall: 'seccomp_arch_add',
    })
    const args = [{ index: 9, value: 0n, valueTwo: 0n, op: SCMP_CMP_EQ }]
    assert.throws(
      () => native().compileSeccomp(profile([{ names: ['umask'], action: ERRNO, args }])),
      {
        code: 'EINVAL',
        syscall: 'seccomp_rule_add',
        message: /umask/,
      },
    )
  })
})

describe('bpfLoadDeviceProgram', () => {
  checkDescriptors()

  // r0 = 1; exit
  const allowAll = Buffer.from('b7000000010000009500000000000000', 'hex')

  it('loads a program', function () {
    needRoot(this) // bpf needs CAP_BPF
    closeSync(native().bpfLoadDeviceProgram(allowAll))
  })

  it('says what the verifier says', function () {
    needRoot(this) // bpf needs CAP_BPF
    const noReturnValue = Buffer.from('9500000000000000', 'hex')
    assert.throws(() => native().bpfLoadDeviceProgram(noReturnValue), {
      code: 'EACCES',
      message: /R0 !read_ok/,
    })
  })

  it('refuses a part of an instruction', () => {
    assert.throws(() => native().bpfLoadDeviceProgram(Buffer.alloc(7)), { code: 'EINVAL' })
  })

  it('attaches to a cgroup only', function () {
    needRoot(this) // bpf needs CAP_BPF
    const program = native().bpfLoadDeviceProgram(allowAll)
    const notCgroup = native().eventfd()
    assert.throws(
      () => {
        native().bpfAttachDevice(notCgroup, program)
      },
      { code: 'EBADF', syscall: 'bpf' },
    )
    closeAll(program, notCgroup)
  })
})
