/** `start`: the program of a created container. @see runtime-spec v1.3 runtime.md#start */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ContainerReference } from '../api.ts'
import { hookState, runTrailingHooks } from '../hooks/run-hooks.ts'
import { parseSpec } from '../spec/parse.ts'
import { ContainerDirectory } from '../state/container-directory.ts'
import { statusOf } from '../state/status.ts'
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
  const failure = await connectToStart(directory.path, container.id)
  const config = directory.readConfig()
  if (failure !== undefined) {
    throw errorOfStartFailure(failure, parseSpec(config).value.process.args, container.id)
  }
  // Most containers have none: their document need not be parsed again.
  if (!config.includes('poststart')) return
  const { poststart } = parseSpec(config).value.hooks
  await runTrailingHooks(
    'poststart',
    poststart,
    hookState(record, 'running', record.init?.pid ?? 0),
  )
}
