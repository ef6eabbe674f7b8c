import { native } from '../../native/binding.ts'
import { wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { SeccompFilter } from '../plan/plan-input.ts'
import type { SeccompSpec } from '../spec/seccomp-types.ts'
import { seccompFlags, seccompProfile } from './profile.ts'

/** The program init installs. @throws when libseccomp refuses the profile */
export function compileSeccompFilter(seccomp: SeccompSpec): SeccompFilter {
  try {
    return {
      flags: seccompFlags(seccomp.flags),
      program: native().compileSeccomp(seccompProfile(seccomp)),
    }
  } catch (error) {
    throw wrapSystemError(error, { action: 'compile seccomp profile', step: '/linux/seccomp' })
  }
}
