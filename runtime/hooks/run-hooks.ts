/**
 * The hooks that run on the host: prestart, createRuntime, poststart, poststop. createContainer and
 * startContainer are run by init, inside.
 *
 * @see runtime-spec v1.3 config.md#posix-platform-hooks, runtime.md#lifecycle
 */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { HookKind, HookSpec } from '../spec/types.ts'
import type { ContainerRecord } from '../state/record.ts'
import { warn } from '../warnings.ts'

/** Hooks before the program runs: a failure ends the creation. */
export type BlockingHookKind = Extract<HookKind, 'prestart' | 'createRuntime'>

/** Hooks after the fact: a failure is a warning, and the next one runs. */
export type TrailingHookKind = Extract<HookKind, 'poststart' | 'poststop'>

/** The state as hooks get it on stdin. @see runtime.md#state */
export interface HookState {
  readonly ociVersion: string
  readonly id: string
  readonly status: 'creating' | 'created' | 'running' | 'stopped'
  readonly pid: number
  readonly bundle: string
  readonly annotations: Readonly<Record<string, string>>
}

export function hookState(
  { ociVersion, id, bundle, annotations }: ContainerRecord,
  status: HookState['status'],
  pid: number,
): HookState {
  return { ociVersion, id, status, pid, bundle, annotations }
}

/** In order, up to the first failure. @throws its error */
export async function runBlockingHooks(
  kind: BlockingHookKind,
  hooks: readonly HookSpec[],
  state: HookState,
): Promise<void> {
  for (const [index, hook] of hooks.entries()) {
    try {
      await runOne(hook, state)
    } catch (error) {
      throw locate(error, kind, index)
    }
  }
}

/** In order, all of them. */
export async function runTrailingHooks(
  kind: TrailingHookKind,
  hooks: readonly HookSpec[],
  state: HookState,
): Promise<void> {
  for (const [index, hook] of hooks.entries()) {
    try {
      await runOne(hook, state)
    } catch (error) {
      warn(locate(error, kind, index).message)
    }
  }
}

/** Most containers have no hook: what runs one is loaded when there is one. */
async function runOne(hook: HookSpec, state: HookState): Promise<void> {
  const { runHook } = await import('./run-hook.ts')
  await runHook(hook, JSON.stringify(state), state.bundle)
}

function locate(error: unknown, kind: HookKind, index: number): PlatformError {
  const step = `/hooks/${kind}/${index}`
  return error instanceof PlatformError
    ? new PlatformError(error.code, { ...error.facts, step }, { cause: error })
    : new PlatformError(
        'internal',
        { action: 'run hook', step, found: String(error) },
        { cause: error },
      )
}
