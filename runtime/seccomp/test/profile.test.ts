import assert from 'node:assert/strict'
import { ObjectReader } from '../../spec/reader.ts'
import { parseSeccomp } from '../../spec/seccomp.ts'
import { seccompFlags, seccompProfile } from '../profile.ts'

function profile(value: object) {
  return seccompProfile(parseSeccomp(ObjectReader.root(value, 'seccomp')))
}

describe('runtime-spec config-linux.md#seccomp', () => {
  for (const [action, errnoRet, number] of [
    ['SCMP_ACT_KILL', undefined, 0],
    ['SCMP_ACT_KILL_THREAD', undefined, 0],
    ['SCMP_ACT_KILL_PROCESS', undefined, 0x80000000],
    ['SCMP_ACT_TRAP', undefined, 0x00030000],
    ['SCMP_ACT_ERRNO', undefined, 0x00050001],
    ['SCMP_ACT_ERRNO', 38, 0x00050026],
    ['SCMP_ACT_ERRNO', 0, 0x00050000],
    ['SCMP_ACT_TRACE', 7, 0x7ff00007],
    ['SCMP_ACT_LOG', undefined, 0x7ffc0000],
    ['SCMP_ACT_ALLOW', 5, 0x7fff0000],
  ] as const) {
    it(`${action} with errnoRet ${String(errnoRet)} is 0x${number.toString(16)}`, () => {
      assert.equal(
        profile({ defaultAction: action, defaultErrnoRet: errnoRet }).defaultAction,
        number,
      )
    })
  }

  it('passes names, operators and 64-bit values on', () => {
    const { rules, architectures } = profile({
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32'],
      syscalls: [
        {
          names: ['clone', 'no_such_call'],
          action: 'SCMP_ACT_ALLOW',
          args: [{ index: 0, value: 2n ** 63n, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
        },
      ],
    })
    assert.deepEqual(architectures, [0xc000003e, 0x4000003e])
    assert.deepEqual(rules, [
      {
        names: ['clone', 'no_such_call'],
        action: 0x7fff0000,
        args: [{ index: 0, value: 2n ** 63n, valueTwo: 0n, op: 7 }],
      },
    ])
  })

  it('leaves out rules that do what happens anyway', () => {
    const syscalls = [
      { names: ['read'], action: 'SCMP_ACT_ERRNO' },
      { names: ['write'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    ]
    const { rules } = profile({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1, syscalls })
    assert.deepEqual(
      rules.map(({ names }) => names),
      [['write']],
    )
  })

  it('makes alternatives of several comparisons of one argument', () => {
    const args = [1, 2].map((value) => ({ index: 0, value, op: 'SCMP_CMP_EQ' }))
    const { rules } = profile({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ names: ['socket'], action: 'SCMP_ACT_ALLOW', args }],
    })
    assert.deepEqual(
      rules.map((rule) => rule.args.map(({ value }) => value)),
      [[1n], [2n]],
    )
  })

  it('makes bits of the flags', () => {
    assert.equal(seccompFlags(['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW']), 6)
    assert.equal(seccompFlags([]), 0)
  })
})
