/** `berth-runtime`: runc's command line. Only the verb that is asked for is loaded. */
import { resolve } from 'node:path'
import { PlatformError } from '../proto/errors/platform-error.ts'
import {
  type FlagTable,
  type FlagValues,
  parseArguments,
  usageError,
} from './commands/arguments.ts'
import type { Command } from './commands/command.ts'
import { openLog } from './commands/log.ts'
import { STDOUT, writeText } from '../native/write-text.ts'
import { RUNTIME_VERSION, SPEC_VERSION } from './version.ts'
import { onRuntimeWarning } from './warnings.ts'

interface Verb {
  readonly summary: string
  load(): Promise<{ readonly command: Command }>
}

const VERBS: Readonly<Record<string, Verb>> = {
  create: { summary: 'create a container', load: () => import('./commands/create.ts') },
  delete: { summary: 'remove a container', load: () => import('./commands/delete.ts') },
  exec: {
    summary: 'run one more process in a container',
    load: () => import('./commands/exec.ts'),
  },
  features: {
    summary: 'show what is supported, as JSON',
    load: () => import('./commands/features.ts'),
  },
  kill: { summary: 'send a signal to a container', load: () => import('./commands/kill.ts') },
  list: { summary: 'list containers', load: () => import('./commands/list.ts') },
  pause: {
    summary: 'stop all processes of a container',
    load: () => import('./commands/pause.ts'),
  },
  plan: {
    summary: 'print what create would do, without doing it',
    load: () => import('./commands/plan.ts'),
  },
  ps: { summary: 'show the processes of a container', load: () => import('./commands/ps.ts') },
  resume: { summary: 'continue a paused container', load: () => import('./commands/resume.ts') },
  run: { summary: 'create and start a container', load: () => import('./commands/run.ts') },
  spec: { summary: 'write a config.json to start from', load: () => import('./commands/spec.ts') },
  start: {
    summary: 'start the program of a created container',
    load: () => import('./commands/start.ts'),
  },
  state: { summary: 'show the state of a container', load: () => import('./commands/state.ts') },
  update: {
    summary: 'change the limits of a container',
    load: () => import('./commands/update.ts'),
  },
}

const DEFAULT_ROOT = '/run/berth/runtime'

const GLOBAL_FLAGS = {
  root: { kind: 'string', help: `directory for state (default: ${DEFAULT_ROOT})` },
  log: { kind: 'string', help: 'file that gets errors and warnings as well' },
  'log-format': { kind: 'string', help: 'text or json (default: text)' },
  debug: { kind: 'boolean', help: 'show where an error comes from' },
  'systemd-cgroup': { kind: 'boolean', help: 'not supported yet' },
  rootless: { kind: 'string', help: 'accepted for runc: true, false or auto' },
  criu: { kind: 'string', help: 'accepted for runc' },
  version: { kind: 'boolean', short: 'v', help: 'show versions' },
} as const satisfies FlagTable

type GlobalFlags = FlagValues<typeof GLOBAL_FLAGS>

/** @returns the exit code: 1 for our own errors, that of the program for `run` and `exec` */
export async function main(args: readonly string[]): Promise<number> {
  let log = openLog({ format: 'text' })
  let isDebug = false
  try {
    const { flags, isHelp, positionals } = parseArguments(args, GLOBAL_FLAGS, {
      stopAtPositional: true,
    })
    isDebug = flags.debug ?? false
    log = openLog({ path: pathOf(flags.log), format: logFormatOf(flags) })
    onRuntimeWarning(log.warning)
    const [name, ...rest] = positionals
    if (flags.version === true) return print(versionText())
    if (name === undefined || name === 'help' || isHelp) return print(helpText())
    const { command } = await findVerb(name).load()
    refuseUnsupportedFlags(flags)
    return await command.run(rest, {
      root: pathOf(flags.root) ?? DEFAULT_ROOT,
      print,
    })
  } catch (error) {
    log.error(describeError(error, isDebug))
    return exitCodeOf(error)
  }
}

function findVerb(name: string): Verb {
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (verb !== undefined) return verb
  throw usageError(
    `unknown command ${JSON.stringify(name)}: want one of ${Object.keys(VERBS).join(', ')}`,
  )
}

function refuseUnsupportedFlags(flags: GlobalFlags): void {
  if (flags['systemd-cgroup'] !== true) return
  throw new PlatformError('unimplemented', {
    action: 'use --systemd-cgroup',
    hint: 'this version makes cgroups itself; set the cgroupfs driver in the manager above',
  })
}

function logFormatOf(flags: GlobalFlags): 'text' | 'json' {
  const format = flags['log-format'] ?? 'text'
  if (format === 'text' || format === 'json') return format
  throw usageError(`unknown --log-format ${JSON.stringify(format)}: want text or json`)
}

/** Empty is how some callers write "none". */
function pathOf(flag: string | undefined): string | undefined {
  return flag === undefined || flag === '' ? undefined : resolve(flag)
}

function print(text: string): 0 {
  writeText(STDOUT, text)
  return 0
}

function versionText(): string {
  return `berth-runtime version ${RUNTIME_VERSION}\nspec: ${SPEC_VERSION}\n`
}

function helpText(): string {
  const verbs = Object.entries(VERBS).map(
    ([name, { summary }]) => `   ${name.padEnd(10)} ${summary}\n`,
  )
  const flags = Object.entries(GLOBAL_FLAGS).map(
    ([name, { kind, help }]) =>
      `   ${`--${name}${kind === 'boolean' ? '' : ' value'}`.padEnd(20)} ${help}\n`,
  )
  return [
    'berth-runtime: run containers from OCI bundles\n\n',
    'Usage: berth-runtime [global options] <command> [options] [arguments]\n\n',
    `Commands (each has --help):\n${verbs.join('')}\n`,
    `Global options:\n${flags.join('')}`,
  ].join('')
}

/** The one place where a failure becomes text. */
function describeError(error: unknown, isDebug: boolean): string {
  if (!(error instanceof Error)) return String(error)
  if (isDebug) return error.stack ?? error.message
  return error instanceof PlatformError ? error.message : `internal error: ${error.message}`
}

/** A program that cannot be executed has the exit code a shell gives it. */
function exitCodeOf(error: unknown): number {
  const isExecutable = error instanceof PlatformError && 'exitCode' in error
  return isExecutable && typeof error.exitCode === 'number' ? error.exitCode : 1
}
