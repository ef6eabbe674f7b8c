/** Debian's docker-registry on a free loopback port, read-only over a store that was filled before. */
import { writeFileSync } from 'node:fs'

import { freePort } from './free-port.ts'
import type { RunningProgram } from './process.ts'
import { programs } from './programs.ts'
import { until } from './until.ts'
import type { Workspace } from './workspace.ts'

export interface Registry {
  /** `127.0.0.1:PORT`, the host part of image references. */
  readonly host: string
  readonly program: RunningProgram
}

export async function startRegistry(workspace: Workspace, storeDir: string): Promise<Registry> {
  const host = `127.0.0.1:${String(await freePort())}`
  const config = workspace.path('registry.yml')
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: storeDir },
        maintenance: { readonly: { enabled: true } },
      },
      http: { addr: host },
    }),
  )
  const program = workspace.start(programs.dockerRegistry, ['serve', config])
  await until('the registry to answer', async () => {
    if (program.exitCode !== undefined)
      throw new Error(`docker-registry ended: ${program.stderr()}`)
    return await fetch(`http://${host}/v2/`).then(
      (response) => response.ok,
      () => false,
    )
  })
  return { host, program }
}
