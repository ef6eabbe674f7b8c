import type { Operation } from '../../native/generated/operations.ts'
import { type ContainerPlan, planContainer } from '../launch/plan-container.ts'
import { openBundle } from '../spec/bundle.ts'
import { NAMESPACE_FLAGS } from '../spec/types.ts'
import { usageError } from './arguments.ts'
import { bundleOf, defineCommand } from './command.ts'

/** A bundle is planned under some id; it shows in the default cgroup path and the keyring's name. */
const DEFAULT_ID = 'container'

/** Beyond runc: what would be done is data before it is done (DESIGN 4). Needs no root. */
export const command = defineCommand({
  usage: 'plan [options] [container-id]',
  flags: {
    bundle: { kind: 'string', short: 'b', help: 'the bundle (default: the working directory)' },
    format: { kind: 'string', short: 'f', help: 'text or json (default: text)' },
  },
  positionals: [0, 1],
  run: ({ flags, positionals }, { print }) => {
    const format = flags.format ?? 'text'
    if (format !== 'text' && format !== 'json') {
      throw usageError(`plan: unknown format ${JSON.stringify(format)}: want text or json`)
    }
    const bundle = openBundle(bundleOf(flags.bundle))
    const planned = planContainer({ id: positionals[0] ?? DEFAULT_ID, bundle })
    print(format === 'json' ? toJson(planned) : toText(planned))
    return Promise.resolve(0)
  },
})

function toJson({ rootfs, cgroup, plan }: ContainerPlan): string {
  const document = {
    rootfs,
    cgroups: [...new Set(Object.values(cgroup.paths))],
    namespaces: namespaceNames(plan.cloneFlags),
    joins: plan.namespacePaths,
    operations: plan.operations,
  }
  return `${JSON.stringify(document, (_key, value: unknown) => printable(value), 2)}\n`
}

function toText({ rootfs, cgroup, plan }: ContainerPlan): string {
  const head = [
    `rootfs      ${rootfs}`,
    `cgroups     ${[...new Set(Object.values(cgroup.paths))].join(' ')}`,
    `namespaces  ${namespaceNames(plan.cloneFlags).join(' ')}`,
    ...plan.namespacePaths.map((path) => `joins       ${path}`),
  ]
  const steps = plan.operations.map(
    (operation, index) => `${String(index).padStart(3)}  ${describe(operation)}`,
  )
  return `${[...head, '', ...steps].join('\n')}\n`
}

/** `mountFilesystem  type=proc target=/proc …`; what is empty or off is left out. */
function describe({ op, ...fields }: Operation): string {
  const shown = Object.entries(fields).flatMap(([name, value]: [string, unknown]) => {
    const isOff = value === false || value === 0 || value === '' || isEmptyList(value)
    return isOff ? [] : [`${name}=${fieldText(name, value)}`]
  })
  return `${op.padEnd(24)} ${shown.join(' ')}`.trimEnd()
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

/** Flag words and modes are easier to recognise in the base the kernel's headers use. */
function fieldText(name: string, value: unknown): string {
  if (typeof value === 'number' && HEXADECIMAL_FIELDS.has(name)) return `0x${value.toString(16)}`
  if (typeof value === 'number' && OCTAL_FIELDS.has(name)) return `0${value.toString(8)}`
  if (typeof value === 'bigint' && name !== 'soft' && name !== 'hard')
    return `0x${value.toString(16)}`
  const plain = printable(value)
  return typeof plain === 'string' ? plain : JSON.stringify(plain)
}

const HEXADECIMAL_FIELDS: ReadonlySet<string> = new Set([
  'attributes',
  'clear',
  'clearRecursive',
  'flags',
  'kind',
  'propagation',
  'set',
  'setRecursive',
])

const OCTAL_FIELDS: ReadonlySet<string> = new Set(['mask', 'mode'])

function printable(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return `${String(value.byteLength)} bytes`
  return value
}

function namespaceNames(flags: number): readonly string[] {
  return Object.entries(NAMESPACE_FLAGS)
    .filter(([, flag]) => (flags & flag) !== 0)
    .map(([name]) => name)
}
