/** @see runtime-spec v1.3 config.md#posix-platform-hooks */
import type { ObjectReader } from './reader.ts'
import type { HookSpec, HooksSpec } from './types.ts'

export function parseHooks(reader: ObjectReader | undefined): HooksSpec {
  const list = (kind: string): readonly HookSpec[] => reader?.objects(kind, parseHook) ?? []
  return {
    prestart: list('prestart'),
    createRuntime: list('createRuntime'),
    createContainer: list('createContainer'),
    startContainer: list('startContainer'),
    poststart: list('poststart'),
    poststop: list('poststop'),
  }
}

function parseHook(reader: ObjectReader): HookSpec {
  const path = reader.absolutePath('path')
  const args = reader.strings('args')
  return {
    path,
    args: args.length === 0 ? [path] : args,
    env: reader.strings('env'),
    timeoutSeconds: reader.optionalInteger('timeout', { min: 1, max: 0x7fff_ffff }),
  }
}
