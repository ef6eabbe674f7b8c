/**
 * The demo: one image, from its archive or a registry to an exited container, through every part and
 * every seam, with the time each stage took.
 *
 *     bun scripts/demo/main.ts [--peer containerd] [IMAGE [COMMAND…]]
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findLeaks } from '../../conformance/harness/leaks.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { LeasesDefinition } from '../../proto/generated/containerd/services/leases/v1/leases.ts'
import { NamespacesDefinition } from '../../proto/generated/containerd/services/namespaces/v1/namespace.ts'
import { VersionDefinition } from '../../proto/generated/containerd/services/version/v1/version.ts'
import { Client } from './client.ts'
import { runContainer, type Outcome } from './container.ts'
import { Daemon, type ManagerKind } from './daemon.ts'
import { compareWithHost, parseFacts } from './facts.ts'
import { importArchive, inspectImage, unpack, type Image } from './image.ts'
import {
  bold,
  dim,
  factTable,
  green,
  heading,
  line,
  pairs,
  quote,
  red,
  stageTable,
} from './print.ts'
import { specOf } from './spec.ts'
import { Stages } from './stages.ts'

const DIST = join(import.meta.dirname, '../../dist')
const NAMESPACE = 'demo'

/** The hello program is asked to exit with this, so that a 0 cannot come from nowhere. */
const WANTED_EXIT_CODE = 42

const RUNTIMES: Readonly<Record<ManagerKind, string>> = {
  berthd: 'io.containerd.berth.v2',
  containerd: 'io.containerd.runc.v2',
}

interface Invocation {
  readonly manager: ManagerKind
  /** Undefined: the embedded hello image. */
  readonly reference: string | undefined
  readonly args: readonly string[]
}

function parseInvocation(args: readonly string[]): Invocation {
  const isPeer = args[0] === '--peer'
  const manager = isPeer ? args[1] : 'berthd'
  if (manager !== 'berthd' && manager !== 'containerd') {
    throw new PlatformError('invalidArgument', {
      action: 'read --peer',
      found: manager ?? 'nothing',
      wanted: 'containerd or berthd',
    })
  }
  const [reference, ...rest] = isPeer ? args.slice(2) : args
  return { manager, reference, args: reference === undefined ? [String(WANTED_EXIT_CODE)] : rest }
}

/** Everything the demo makes carries the token in its name: that is how leftovers are found. */
const token = `berth-demo-${randomBytes(4).toString('hex')}`

async function main(): Promise<number> {
  const invocation = parseInvocation(process.argv.slice(2))
  const dir = join(tmpdir(), token)
  mkdirSync(dir, { mode: 0o700 })
  const interruption = new AbortController()
  const interrupt = (): void => {
    interruption.abort()
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  let succeeded = false
  try {
    succeeded = await travel(invocation, dir, interruption.signal)
  } finally {
    const leftovers = await findLeftovers(dir)
    if (leftovers.length === 0) rmSync(dir, { recursive: true, force: true })
    heading('Left behind')
    if (leftovers.length === 0) {
      line(
        `  ${green('nothing')} ${dim('(looked for processes, mounts, cgroups, sockets, directories)')}`,
      )
    } else {
      for (const leftover of leftovers) line(`  ${red(leftover)}`)
      line(`  ${dim(`${dir} is kept`)}`)
      succeeded = false
    }
  }
  return succeeded ? 0 : 1
}

/** @returns whether everything was as it should be */
async function travel(
  { manager, reference, args }: Invocation,
  dir: string,
  interrupted: AbortSignal,
): Promise<boolean> {
  const stages = new Stages()
  await using daemon = await stages.time(`${manager}: start`, () => Daemon.start(manager, dir))
  const client = new Client(daemon.address, NAMESPACE)
  try {
    const { version } = await client.unary(VersionDefinition, VersionDefinition.methods.version, {})
    const namespace = { name: NAMESPACE, labels: {} }
    await client.unary(NamespacesDefinition, NamespacesDefinition.methods.create, { namespace })
    await client.unary(LeasesDefinition, LeasesDefinition.methods.create, { id: token })
    client.useLease(token)

    const image = await obtainImage(client, stages, daemon, manager, reference)
    heading('An image becomes a running container')
    pairs([
      ['manager', `${manager} ${version}, process ${daemon.pid}`],
      ['socket', daemon.address],
      [
        'image',
        `${image.reference}, ${image.layers.length} layer(s), ${kilobytes(image.sizeBytes)}`,
      ],
    ])
    const chainId = await stages.time('image: unpack', () => unpack(client, image))
    const spec = specOf(token, image.config, args)
    const runtime = RUNTIMES[manager]
    const request = { id: token, reference: image.reference, chainId, spec, runtime, dir }
    const outcome = await runContainer(client, stages, request, interrupted)
    return show(outcome, stages, reference === undefined ? WANTED_EXIT_CODE : undefined)
  } finally {
    client.close()
  }
}

async function obtainImage(
  client: Client,
  stages: Stages,
  daemon: Daemon,
  manager: ManagerKind,
  reference: string | undefined,
): Promise<Image> {
  if (reference === undefined) {
    const imported = await stages.time('image: import', () =>
      importArchive(client, join(DIST, 'hello.tar')),
    )
    return inspectImage(client, imported)
  }
  await stages.time('image: pull', async () => {
    await Promise.resolve()
    pull(daemon.address, manager, reference)
  })
  return inspectImage(client, reference)
}

/** Lets the manager's own client pull: the demo adds nothing to that. */
function pull(address: string, manager: ManagerKind, reference: string): void {
  const isLoopback = /^(localhost|127\.|\[::1\])/.test(reference)
  const plain = isLoopback ? ['--plain-http'] : []
  const [program, command] =
    manager === 'berthd'
      ? ([join(DIST, 'berthctl'), ['pull', ...plain, reference]] as const)
      : (['ctr', ['images', 'pull', ...plain, reference]] as const)
  const common = ['--address', address, '--namespace', NAMESPACE]
  const { status, stderr, error } = spawnSync(program, [...common, ...command], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (status === 0) return
  const sentence = error?.message ?? stderr.trim().replace(/^berthctl: /, '')
  throw new PlatformError('unavailable', `pull ${reference}: ${sentence}`)
}

/** @returns whether the exit code is the wanted one, if one is */
function show(outcome: Outcome, stages: Stages, wantedExitCode: number | undefined): boolean {
  heading('What it said')
  quote(outcome.output)
  heading('Stages')
  stageTable(stages.ended)
  const facts = parseFacts(outcome.output)
  if (facts.has('namespace.pid')) {
    heading('What it sees')
    factTable(compareWithHost(facts, outcome.pid))
  }
  heading('Exit code')
  const code = String(outcome.exitCode)
  if (wantedExitCode === undefined) line(`  ${bold(code)}`)
  else if (outcome.exitCode === wantedExitCode) line(`  ${green(bold(code))}, as asked`)
  else line(`  ${red(bold(code))}, want ${wantedExitCode}`)
  return wantedExitCode === undefined || outcome.exitCode === wantedExitCode
}

const SETTLE_MS = 3_000

/** What is still there of the demo; processes that were told to end get a moment. */
async function findLeftovers(dir: string): Promise<readonly string[]> {
  const deadlineMs = performance.now() + SETTLE_MS
  for (;;) {
    const found = [...findLeaks(token), ...forgottenState(join(dir, 'state'))]
    if (found.length === 0 || performance.now() > deadlineMs) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Directories of the container below the manager's state directory. */
function forgottenState(stateDir: string): readonly string[] {
  if (!existsSync(stateDir)) return []
  return readdirSync(stateDir, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.includes(token))
    .map((path) => `directory ${join(stateDir, path)}`)
}

function kilobytes(sizeBytes: number): string {
  return `${Math.round(sizeBytes / 1000)} kB`
}

try {
  process.exitCode = await main()
} catch (error) {
  const sentence = error instanceof PlatformError ? error.message : String(error)
  process.stderr.write(`\n${red('the demo failed')}: ${sentence}\n`)
  process.exitCode = 1
}
