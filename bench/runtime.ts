/** The runtime against runc and crun, on the bundle that `spec` makes, running a program that does nothing. */
import { isExecutable, programs } from '../conformance/harness/programs.ts'
import { Workspace } from '../conformance/harness/workspace.ts'
import { makeBundle } from './bundle.ts'
import { type Command, type Comparison, compareTimings, timeCommands } from './measurement.ts'

/**
 * crun 1.8.1 does not run where cgroup v2 is mounted beside the v1 hierarchies, so it is measured (and we with
 * it) in a mount namespace without that mount.
 */
const WITHOUT_UNIFIED = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi; exec "$@"',
  'sh',
]

export async function compareRuntimes(rounds: number): Promise<readonly Comparison[]> {
  await using workspace = new Workspace()
  const { env } = workspace
  const bundle = await makeBundle(workspace)

  const command = (runtime: string, name: string, ...args: string[]): Command => [
    runtime,
    '--root',
    workspace.path(`root-${name}`),
    ...args,
  ]
  const runs = (runtime: string, name: string): Command =>
    command(runtime, name, 'run', '--bundle', bundle, `${workspace.token}-${name}`)
  const life = (runtime: string, name: string): readonly Command[] => {
    const id = `${workspace.token}-life-${name}`
    return [
      command(runtime, name, 'create', '--bundle', bundle, id),
      command(runtime, name, 'start', id),
      command(runtime, name, 'delete', '--force', id),
    ]
  }

  const results: Comparison[] = []
  const compare = (...args: Parameters<typeof compareTimings>): void => {
    results.push(compareTimings(...args))
  }

  // One round first: the first run of each reads its program from disk.
  const against = async (commands: readonly Command[], wrapper?: readonly string[]) => {
    const options = wrapper === undefined ? { env } : { env, wrapper }
    await timeCommands(1, commands, options)
    return await timeCommands(rounds, commands, options)
  }

  const [ours, runc] = await against([runs(programs.runtime, 'ours'), runs(programs.runc, 'runc')])
  compare('run of a trivial program, default bundle', 'runc', ours, runc, 0.7)

  const [oCreate, oStart, oDelete, rCreate, rStart, rDelete] = await against([
    ...life(programs.runtime, 'ours'),
    ...life(programs.runc, 'runc'),
  ])
  compare('create', 'runc', oCreate, rCreate)
  compare('start', 'runc', oStart, rStart)
  compare('delete --force', 'runc', oDelete, rDelete)

  const [oVersion, rVersion] = await against([
    [programs.runtime, '--version'],
    [programs.runc, '--version'],
  ])
  compare('--version (start of the program)', 'runc', oVersion, rVersion)

  if (isExecutable(programs.crun)) {
    const [oursAgain, crun] = await against(
      [runs(programs.runtime, 'ours'), runs(programs.crun, 'crun')],
      WITHOUT_UNIFIED,
    )
    compare('run of a trivial program, default bundle', 'crun', oursAgain, crun)
  }
  return results
}
