/** The shim's command line: flags in Go's style (`-id x`, `--id x`, `-id=x`), then at most one command. */
import { PlatformError } from '../../proto/errors/platform-error.ts'

/** What the program was asked to be. `serve` is the long-running one and has no command word. */
export type ShimCommand = 'serve' | 'start' | 'delete' | 'info' | 'version'

export interface ShimArguments {
  readonly command: ShimCommand
  readonly namespace: string
  /** The daemon's gRPC socket. */
  readonly address: string
  readonly publishBinary: string
  /** Container (or sandbox) id. */
  readonly id: string
  /** Only given to `delete`; the others are started in the bundle. */
  readonly bundle: string
  /** The shim's own socket, when the caller chooses it. */
  readonly socket: string
  readonly isDebug: boolean
}

const STRING_FLAGS = {
  namespace: 'namespace',
  address: 'address',
  'publish-binary': 'publishBinary',
  id: 'id',
  bundle: 'bundle',
  socket: 'socket',
} as const satisfies Readonly<Record<string, keyof ShimArguments>>

const SWITCHES = ['debug', 'info', 'v'] as const

type StringFlag = keyof typeof STRING_FLAGS
type Switch = (typeof SWITCHES)[number]

/** @throws invalidArgument with what was found */
export function parseArguments(args: readonly string[]): ShimArguments {
  const values: Record<StringFlag, string> = {
    namespace: '',
    address: '',
    'publish-binary': 'containerd',
    id: '',
    bundle: '',
    socket: '',
  }
  const switches: Record<Switch, boolean> = { debug: false, info: false, v: false }
  const words: string[] = []
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? ''
    // Go's flag package stops at the first word that is no flag, and at `--`.
    if (!word.startsWith('-') || word === '-') {
      words.push(...args.slice(index))
      break
    }
    if (word === '--') {
      words.push(...args.slice(index + 1))
      break
    }
    const { name, value } = splitFlag(word)
    if (isSwitch(name)) {
      switches[name] = parseSwitch(name, value)
    } else if (isStringFlag(name)) {
      const given = value ?? args[++index]
      if (given === undefined) throw invalid(`-${name} without a value`, 'a value after it')
      values[name] = given
    } else {
      const known = [...Object.keys(STRING_FLAGS), ...SWITCHES].map((flag) => `-${flag}`).join(' ')
      throw invalid(`flag ${word}`, `one of ${known}`)
    }
  }
  return {
    command: commandOf(words, switches),
    namespace: values.namespace,
    address: values.address,
    publishBinary: values['publish-binary'],
    id: values.id,
    bundle: values.bundle,
    socket: values.socket,
    isDebug: switches.debug,
  }
}

function splitFlag(word: string): { readonly name: string; readonly value: string | undefined } {
  const bare = word.replace(/^--?/, '')
  const equals = bare.indexOf('=')
  if (equals === -1) return { name: bare, value: undefined }
  return { name: bare.slice(0, equals), value: bare.slice(equals + 1) }
}

function parseSwitch(name: Switch, value: string | undefined): boolean {
  switch (value) {
    case undefined:
    case 'true':
    case '1':
      return true
    case 'false':
    case '0':
      return false
    default:
      throw invalid(`-${name}=${value}`, 'true or false')
  }
}

function commandOf(
  words: readonly string[],
  switches: Readonly<Record<Switch, boolean>>,
): ShimCommand {
  if (switches.v) return 'version'
  if (switches.info) return 'info'
  const [word] = words
  switch (word) {
    case undefined:
      return 'serve'
    case 'start':
    case 'delete':
      return word
    default:
      throw invalid(`command ${word}`, 'start, delete or none')
  }
}

function isStringFlag(name: string): name is StringFlag {
  return Object.hasOwn(STRING_FLAGS, name)
}

function isSwitch(name: string): name is Switch {
  return (SWITCHES as readonly string[]).includes(name)
}

function invalid(found: string, wanted: string): PlatformError {
  return new PlatformError('invalidArgument', { action: 'read the command line', found, wanted })
}
