import { parseArgs } from 'node:util'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import {
  DEFAULT_CONFIG,
  DEFAULT_CONFIG_PATH,
  parseAbsolutePath,
  parseLogLevel,
  type ManagerConfig,
} from './config.ts'
import { readConfigFile } from './config-file.ts'
import { nearest } from './nearest.ts'

export const USAGE = `berthd: the container manager, serving containerd's API

usage: berthd [flags]

  --config FILE      configuration file (default ${DEFAULT_CONFIG_PATH})
  --root DIR         data that survives a reboot (default ${DEFAULT_CONFIG.rootDir})
  --state DIR        state that does not (default ${DEFAULT_CONFIG.stateDir})
  --address SOCKET   gRPC socket; ttrpc is beside it with ".ttrpc" (default ${DEFAULT_CONFIG.address})
  --log-level LEVEL  trace, debug, info, warn, error or fatal (default ${DEFAULT_CONFIG.logLevel})
  --help             print this
  --version          print the version
`

const FLAGS = {
  config: { type: 'string' },
  root: { type: 'string' },
  state: { type: 'string' },
  address: { type: 'string', short: 'a' },
  'log-level': { type: 'string', short: 'l' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

export type Invocation =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'serve'; readonly config: ManagerConfig }

/** Flags win over the file, the file over the defaults. @throws invalidArgument */
export function parseInvocation(args: readonly string[]): Invocation {
  const { values } = parseFlags(args)
  if (values.help === true) return { kind: 'help' }
  if (values.version === true) return { kind: 'version' }
  const file = readConfigFile(values.config ?? DEFAULT_CONFIG_PATH, values.config !== undefined)
  const { root, state, address } = values
  const level = values['log-level']
  return {
    kind: 'serve',
    config: {
      ...DEFAULT_CONFIG,
      ...file,
      ...(root === undefined ? {} : { rootDir: parseAbsolutePath(root, '--root') }),
      ...(state === undefined ? {} : { stateDir: parseAbsolutePath(state, '--state') }),
      ...(address === undefined ? {} : { address: parseAbsolutePath(address, '--address') }),
      ...(level === undefined ? {} : { logLevel: parseLogLevel(level, '--log-level') }),
    },
  }
}

function parseFlags(args: readonly string[]): ReturnType<typeof parseKnownFlags> {
  for (const argument of args) {
    const name = /^--([^=]+)/.exec(argument)?.[1]
    if (name !== undefined && !Object.hasOwn(FLAGS, name)) {
      throw new PlatformError('invalidArgument', {
        action: 'read the command line',
        found: `the unknown flag --${name}`,
        wanted: Object.keys(FLAGS)
          .map((flag) => `--${flag}`)
          .join(', '),
        hint: `did you mean --${nearest(name, Object.keys(FLAGS))}?`,
      })
    }
  }
  try {
    return parseKnownFlags(args)
  } catch (error) {
    throw new PlatformError(
      'invalidArgument',
      {
        action: 'read the command line',
        found: error instanceof Error ? error.message : String(error),
        hint: 'see berthd --help',
      },
      { cause: error },
    )
  }
}

function parseKnownFlags(args: readonly string[]) {
  return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: false })
}
