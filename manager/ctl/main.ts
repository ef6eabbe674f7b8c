/** berthctl: what a person types to use berthd. */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { DEFAULT_CONFIG } from '../config/config.ts'
import { createClients } from './clients.ts'
import { kill, listContainers, pause, remove, resume } from './commands/containers.ts'
import { DEFAULT_RUNTIME, type CommandContext } from './commands/context.ts'
import { exec } from './commands/exec.ts'
import { importArchive, listImages, pull, removeImages } from './commands/images.ts'
import { run } from './commands/run.ts'
import { events, info, listNamespaces, version } from './commands/system.ts'
import { describeFailure } from './failure.ts'
import { OutputClosedError, writeWhole } from './output.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 64
/** 128 + SIGPIPE: what a shell reports of a program whose reader went away. */
const EXIT_OUTPUT_CLOSED = 141

/** What shells use for a program that could not be started. */
const EXIT_NOT_EXECUTABLE = 126
const EXIT_NOT_FOUND = 127

type Work = (context: CommandContext) => Promise<number | undefined>

interface GlobalOptions {
  readonly address: string
  readonly namespace: string
}

/** @returns the exit code: of the container for `run` and `exec`, else 0, 1 for a failure, 64 for bad usage */
export async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0
  const program = createProgram(async (globals, work) => {
    exitCode = await runCommand(globals, work)
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? 0 : EXIT_USAGE
  }
}

async function runCommand(globals: GlobalOptions, work: Work): Promise<number> {
  const clients = createClients(globals.address, globals.namespace)
  const { namespace } = globals
  try {
    const out = (text: string): void => {
      writeWhole(1, text)
    }
    const err = (text: string): void => {
      writeWhole(2, text)
    }
    return (await work({ clients, namespace, out, err })) ?? 0
  } catch (error) {
    if (error instanceof OutputClosedError) return EXIT_OUTPUT_CLOSED
    if (!(error instanceof PlatformError)) throw error
    process.stderr.write(`berthctl: ${describeFailure(error)}\n`)
    return exitCodeOf(error)
  } finally {
    clients.connection.close()
  }
}

/** Runtimes say in the sentence that it was the program and not they who failed. */
function exitCodeOf({ message }: PlatformError): number {
  const reason = /\bexec: ".*?": (.*)/.exec(message)?.[1]
  if (reason === undefined) return EXIT_FAILED
  if (/not found|no such file/.test(reason)) return EXIT_NOT_FOUND
  return /permission denied|exec format error|is a directory/.test(reason)
    ? EXIT_NOT_EXECUTABLE
    : EXIT_FAILED
}

function createProgram(perform: (globals: GlobalOptions, work: Work) => Promise<void>): Command {
  const program = new Command('berthctl')
    .description('run containers on berthd')
    .option('-a, --address <path>', 'socket of the manager', DEFAULT_CONFIG.address)
    .option('-n, --namespace <name>', 'namespace to work in', 'default')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        write(text.replace(/^error: /, 'berthctl: '))
      },
    })

  const does = (work: Work): Promise<void> => perform(program.opts<GlobalOptions>(), work)
  /** For commands that have no exit code of their own. */
  const doing = (work: (context: CommandContext) => Promise<void>): Promise<void> =>
    does(async (context) => {
      await work(context)
      return undefined
    })

  program
    .command('pull')
    .description('fetch an image from a registry')
    .argument('<image>')
    .option('--plain-http', 'without TLS', false)
    .action((image: string, options: { plainHttp: boolean }) =>
      doing((context) => pull(context, image, options)),
    )
  program
    .command('images')
    .alias('ls')
    .description('list images')
    .argument('[ls]')
    .action(() => doing(listImages))
  program
    .command('rmi')
    .description('remove images')
    .argument('<image...>')
    .action((images: string[]) => doing((context) => removeImages(context, images)))
  program
    .command('import')
    .description('take in images from an OCI or docker archive')
    .argument('<file>', 'a tar file, - for standard input')
    .action((file: string) => doing((context) => importArchive(context, file)))
  addRun(program, does)
  addExec(program, does)
  program
    .command('ps')
    .description('list containers')
    .option('-a, --all', 'with those that do not run', false)
    .action((options: { all: boolean }) => doing((context) => listContainers(context, options)))
  program
    .command('kill')
    .description('send a signal to containers')
    .argument('<container...>')
    .option('-s, --signal <signal>', 'name or number')
    .option('--all', 'to every process of the container', false)
    .action((ids: string[], options: { signal?: string; all: boolean }) =>
      doing((context) => kill(context, ids, { signal: options.signal, all: options.all })),
    )
  program
    .command('rm')
    .description('remove containers')
    .argument('<container...>')
    .option('-f, --force', 'kill them if they run', false)
    .action((ids: string[], options: { force: boolean }) =>
      doing((context) => remove(context, ids, options)),
    )
  program
    .command('pause')
    .description('stop the processes of containers for a while')
    .argument('<container...>')
    .action((ids: string[]) => doing((context) => pause(context, ids)))
  program
    .command('resume')
    .description('let paused containers go on')
    .argument('<container...>')
    .action((ids: string[]) => doing((context) => resume(context, ids)))
  program
    .command('events')
    .description('print events as they come')
    .argument('[filter...]', 'like topic~=/tasks/')
    .action((filters: string[]) => doing((context) => events(context, filters)))
  program
    .command('namespaces')
    .description('list namespaces')
    .action(() => doing(listNamespaces))
  program
    .command('version')
    .description('print versions')
    .action(() => doing(version))
  program
    .command('info')
    .description('print what the manager is')
    .action(() => doing(info))
  return program
}

interface ProcessFlags {
  readonly tty: boolean
  readonly interactive: boolean
  readonly env: readonly string[]
  readonly cwd?: string
  readonly user?: string
}

function processFlags(command: Command): Command {
  return command
    .option('-t, --tty', 'with a terminal', false)
    .option('-i, --interactive', 'with our standard input', false)
    .option('-e, --env <name=value>', 'set a variable, may be repeated', collectEnv, [])
    .option('--cwd <directory>', 'working directory')
    .option('-u, --user <user[:group]>', 'names or numbers')
    .passThroughOptions()
}

function addRun(program: Command, does: (work: Work) => Promise<void>): void {
  const command = program.command('run').description('make a container of an image and run it')
  processFlags(command)
    .option('--rm', 'remove it after it has exited', false)
    .option('-d, --detach', 'do not wait for it', false)
    .option('--name <id>', 'id of the container')
    .option('--runtime <name>', 'runtime name, or path of a shim', DEFAULT_RUNTIME)
    .argument('<image>')
    .argument('[command...]')
    .action(
      (
        image: string,
        words: string[],
        flags: ProcessFlags & { rm: boolean; detach: boolean; name?: string; runtime: string },
      ) =>
        does((context) =>
          run(context, image, words, {
            ...processOptions(flags),
            rm: flags.rm,
            detach: flags.detach,
            name: flags.name,
            runtime: flags.runtime,
          }),
        ),
    )
}

function addExec(program: Command, does: (work: Work) => Promise<void>): void {
  const command = program.command('exec').description('run one more program in a running container')
  processFlags(command)
    .argument('<container>')
    .argument('<command...>')
    .action((id: string, words: string[], flags: ProcessFlags) =>
      does((context) => exec(context, id, words, processOptions(flags))),
    )
}

function processOptions({ tty, interactive, env, cwd, user }: ProcessFlags) {
  return { terminal: tty, interactive, env, cwd, user }
}

/** `NAME=value`, or `NAME` alone for the value it has here. */
function collectEnv(text: string, before: readonly string[]): readonly string[] {
  if (text.startsWith('=') || text === '') {
    throw new InvalidArgumentError('want NAME=value or NAME')
  }
  if (text.includes('=')) return [...before, text]
  const value = process.env[text]
  return value === undefined ? before : [...before, `${text}=${value}`]
}
