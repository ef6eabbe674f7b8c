/** berthd against containerd, both driven by the same ctr with the same images, side by side. */
import { readFileSync, readdirSync } from 'node:fs'

import { Manager } from '../conformance/harness/manager.ts'
import { programs } from '../conformance/harness/programs.ts'
import { startRegistry } from '../conformance/harness/registry.ts'
import { Workspace } from '../conformance/harness/workspace.ts'
import { realImage, smallImage } from '../conformance/images/image-cache.ts'
import {
  type Command,
  type Comparison,
  compareTimings,
  median,
  timeCommands,
  timed,
} from './measurement.ts'

interface Pair {
  readonly workspace: Workspace
  readonly ours: Manager
  readonly peer: Manager
}

/** Both managers on private places, for as long as the work takes. */
async function withBoth<T>(work: (pair: Pair) => Promise<T>): Promise<T> {
  await using workspace = new Workspace()
  const ours = workspace.use(new Manager(workspace, 'berthd'))
  const peer = workspace.use(new Manager(workspace, 'containerd'))
  await ours.start()
  await peer.start()
  return await work({ workspace, ours, peer })
}

/** `ctr run --rm` from the call to its end. */
export async function compareRun(rounds: number): Promise<readonly Comparison[]> {
  const image = await smallImage()
  return await withBoth(async ({ workspace, ours, peer }) => {
    const command = (manager: Manager): Command => {
      const [file, args] = manager.ctrCommand([
        'run',
        '--rm',
        image.reference,
        `${workspace.token}-${manager.kind}`,
        '/bin/true',
      ])
      return [file, ...args]
    }
    for (const manager of [ours, peer]) await manager.ctrOk(['images', 'import', image.archive])
    const { env } = workspace
    await timeCommands(1, [command(ours), command(peer)], { env })
    const [oursTimes, peerTimes] = await timeCommands(rounds, [command(ours), command(peer)], {
      env,
    })
    const { cpu: _, ...comparison } = compareTimings(
      'ctr run --rm, image to exit',
      'containerd',
      oursTimes,
      peerTimes,
      0.6,
    )
    // The processor time would be that of ctr alone, which is the same program on both sides.
    return [comparison]
  })
}

/** Private memory of the shims of idle containers. */
export async function compareMemory(containers: number): Promise<readonly Comparison[]> {
  const image = await smallImage()
  return await withBoth(async ({ workspace, ours, peer }) => {
    const shimKiB = async (manager: Manager, shim: RegExp): Promise<number> => {
      await manager.ctrOk(['images', 'import', image.archive])
      const ids = Array.from(
        { length: containers },
        (_, n) => `${workspace.token}-${manager.kind}-${String(n)}`,
      )
      for (const id of ids)
        await manager.ctrOk([
          'run',
          '--detach',
          '--null-io',
          image.reference,
          id,
          'sleep',
          '1000000',
        ])
      const shims = processes((command) => shim.test(command) && command.includes(manager.address))
      const total = shims.reduce((sum, pid) => sum + privateKiB(pid), 0)
      if (shims.length === 0)
        throw new Error(`no process of ${manager.kind} looks like ${String(shim)}`)
      await manager.removeContainers(workspace.token)
      return total / containers
    }
    const daemons = { ours: privateKiB(ours.program.pid), peer: privateKiB(peer.program.pid) }
    return [
      {
        what: `private memory of the shim per idle container (${String(containers)} containers)`,
        unit: 'KiB',
        peerName: 'containerd-shim-runc-v2',
        ours: await shimKiB(ours, /containerd-shim-berth-v2/),
        peer: await shimKiB(peer, /containerd-shim-runc-v2/),
        samples: containers,
        target: 1.5,
      },
      {
        what: 'private memory of the idle daemon',
        unit: 'KiB',
        peerName: 'containerd',
        ...daemons,
        samples: 1,
      },
    ]
  })
}

/** Pull and unpack of the Debian image from a registry on loopback, nothing of it being there before. */
export async function comparePull(rounds: number): Promise<readonly Comparison[]> {
  const image = await realImage()
  return await withBoth(async ({ workspace, ours, peer }) => {
    const registry = await startRegistry(workspace, image.registryStore)
    const reference = `${registry.host}/debian:test`
    const pull = async (manager: Manager): Promise<number> => {
      const elapsedMs = await timed(() =>
        manager.ctrOk(['images', 'pull', '--plain-http', reference]),
      )
      await manager.ctrOk(['images', 'rm', '--sync', reference])
      return elapsedMs
    }
    const oursMs: number[] = []
    const peerMs: number[] = []
    await pull(peer)
    for (let round = 0; round < rounds; round += 1) {
      oursMs.push(await pull(ours))
      peerMs.push(await pull(peer))
    }
    return [
      {
        what: 'ctr pull + unpack of a 5-layer Debian',
        unit: 'ms',
        peerName: 'containerd',
        ours: median(oursMs),
        peer: median(peerMs),
        samples: rounds,
      },
    ]
  })
}

function processes(wanted: (commandLine: string) => boolean): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return wanted(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
      } catch {
        return false // it has ended
      }
    })
    .map(Number)
}

/** What a process has for itself alone. @see proc_pid_smaps(5) */
function privateKiB(pid: number): number {
  const rollup = readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'utf8')
  return [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].reduce(
    (sum, [, kib]) => sum + Number(kib),
    0,
  )
}

/** The programs that have to be there. */
export const needed = [programs.berthd, programs.containerd, programs.ctr] as const
