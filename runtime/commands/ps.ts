import { spawnSync } from 'node:child_process'
import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { pids } from '../operations/inspect.ts'
import { usageError } from './arguments.ts'
import { containerOf, defineCommand } from './command.ts'

const DEFAULT_PS_ARGUMENTS = ['-ef']

export const command = defineCommand({
  usage: 'ps [options] <container-id> [ps options]',
  flags: { format: { kind: 'string', short: 'f', help: 'table or json (default: table)' } },
  positionals: [1, undefined],
  stopAtPositional: true,
  run: async (parsed, context) => {
    const format = parsed.flags.format ?? 'table'
    if (format !== 'table' && format !== 'json') {
      throw usageError(`ps: unknown format ${JSON.stringify(format)}: want table or json`)
    }
    const processes = await pids(containerOf(parsed, context))
    if (format === 'json') {
      context.print(`${JSON.stringify(processes)}\n`)
      return 0
    }
    const given = parsed.positionals.slice(1)
    const output = runPs(given.length === 0 ? DEFAULT_PS_ARGUMENTS : given)
    context.print(selectProcesses(output, new Set(processes)))
    return 0
  },
})

function runPs(args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('ps', args, { encoding: 'utf8' })
  if (error !== undefined) throw wrapSystemError(error, { action: 'run ps', path: 'ps' })
  if (status === 0) return stdout
  throw new PlatformError('invalidArgument', {
    action: 'run ps',
    subject: args.join(' '),
    found: stderr.trim(),
  })
}

/** The header and the lines whose PID column names one of the processes. */
export function selectProcesses(output: string, wanted: ReadonlySet<number>): string {
  const [header = '', ...lines] = output.split('\n')
  const column = header.trim().split(/\s+/).indexOf('PID')
  if (column < 0) throw usageError('ps: its output has no PID column; choose options that show one')
  const selected = lines.filter((line) => wanted.has(Number(line.trim().split(/\s+/)[column])))
  return [header, ...selected].map((line) => `${line}\n`).join('')
}
