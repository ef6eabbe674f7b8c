/** `start`: the program of a created container. @see runtime-spec v1.3 runtime.md#start */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ContainerReference } from '../api.ts'
import { hookState, runTrailingHooks } from '../hooks/run-hooks.ts'
import { parseSpec } from '../spec/parse.ts'
import type { Spec } from '../spec/types.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import type { ContainerRecord } from '../state/record.ts'
import { statusOf } from '../state/status.ts'
import type { CreatedContainer } from './create.ts'
import { errorOfStartFailure } from './init-failure.ts'
import { connectToStart } from './start-socket.ts'

/** @throws failedPrecondition when it is not created; the reason when the program could not be executed */
export async function start(container: ContainerReference): Promise<void> {
  const directory = ContainerDirectory.open(container)
  using _lock = await directory.lock()
  const record = directory.readRecord()
  const status = statusOf(directory, record)
  if (status !== 'created') {
    throw new PlatformError('failedPrecondition', {
      action: 'start container',
      subject: container.id,
      found: `a container that is ${status}`,
      wanted: 'a created one',
    })
  }
  const config = directory.readConfig()
  await release(directory, record, {
    // Most containers have none: their document need not be parsed again.
    mayHavePoststart: config.includes('poststart'),
    spec: () => parseSpec(config).value,
  })
}

/** The same for who has just created it and has everything at hand: `run`. */
export async function startCreated({ directory, record, spec }: CreatedContainer): Promise<void> {
  using _lock = await directory.lock()
  await release(directory, record, { mayHavePoststart: true, spec: () => spec })
}

interface SpecSource {
  readonly mayHavePoststart: boolean
  spec(): Spec
}

async function release(
  directory: ContainerDirectory,
  record: ContainerRecord,
  source: SpecSource,
): Promise<void> {
  const failure = await connectToStart(directory.path, record.id)
  if (failure !== undefined) {
    throw errorOfStartFailure(failure, source.spec().process.args, record.id)
  }
  if (!source.mayHavePoststart) return
  await runTrailingHooks(
    'poststart',
    source.spec().hooks.poststart,
    hookState(record, 'running', record.init?.pid ?? 0),
  )
}
