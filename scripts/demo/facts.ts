/** What the hello program reports, compared with what the host sees. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** One line of the isolation table. */
export interface Fact {
  readonly name: string
  readonly inside: string
  readonly host: string
}

/** The `name=value` lines of the program's output. */
export function parseFacts(output: string): ReadonlyMap<string, string> {
  return new Map(
    output.split('\n').flatMap((line) => {
      const match = /^([a-z][a-z.-]*)=(.*)$/.exec(line)
      return match?.[1] === undefined ? [] : [[match[1], match[2] ?? ''] as const]
    }),
  )
}

/**
 * @param facts as the program inside reports them
 * @param pid of the program on the host
 */
export function compareWithHost(facts: ReadonlyMap<string, string>, pid: number): readonly Fact[] {
  const fact = (name: string): string => facts.get(name) ?? 'not reported'
  const { own, shared } = compareNamespaces(facts)
  const hostCapabilities = readStatus('CapEff')
  return [
    { name: 'process id', inside: fact('pid'), host: String(pid) },
    { name: 'processes', inside: fact('processes'), host: String(countProcesses()) },
    { name: 'hostname', inside: fact('hostname'), host: hostname() },
    { name: 'own namespaces', inside: own.join(' ') || 'none', host: '' },
    { name: 'shared with the host', inside: shared.join(' ') || 'none', host: '' },
    {
      name: 'capabilities',
      inside: countCapabilities(fact('capabilities')),
      host: countCapabilities(hostCapabilities),
    },
    {
      name: 'new privileges',
      inside: fact('no-new-privileges') === '1' ? 'never' : 'possible',
      host: readStatus('NoNewPrivs') === '1' ? 'never' : 'possible',
    },
    {
      name: 'user',
      inside: fact('user'),
      host: `${process.getuid?.() ?? ''}:${process.getgid?.() ?? ''}`,
    },
  ]
}

function compareNamespaces(facts: ReadonlyMap<string, string>): {
  readonly own: readonly string[]
  readonly shared: readonly string[]
} {
  const names = [...facts.keys()].flatMap((key) =>
    key.startsWith('namespace.') ? [key.slice('namespace.'.length)] : [],
  )
  const isOwn = (name: string): boolean =>
    facts.get(`namespace.${name}`) !== readlinkSync(`/proc/self/ns/${name}`)
  return { own: names.filter(isOwn), shared: names.filter((name) => !isOwn(name)) }
}

function readStatus(field: string): string {
  const line = readFileSync('/proc/self/status', 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${field}:`))
  return line?.slice(field.length + 1).trim() ?? ''
}

function countProcesses(): number {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length
}

/** @param mask hexadecimal, one bit per capability */
function countCapabilities(mask: string): string {
  if (!/^[0-9a-f]+$/.test(mask)) return mask
  const count = BigInt(`0x${mask}`).toString(2).replaceAll('0', '').length
  return `${count} (${mask.replace(/^0+(?=.)/, '')})`
}
