/** What the suites of the manager share: one daemon per `describe`, private ids and a leak check per test. */
import { randomBytes } from 'node:crypto'
import assert from 'node:assert/strict'

import { findLeaks } from '../harness/leaks.ts'
import { type ManagerKind, Manager, managerUnderTest } from '../harness/manager.ts'
import { needRoot } from '../harness/needs.ts'
import { type Result, type RunningProgram, describe as explain } from '../harness/process.ts'
import { isExecutable, programs } from '../harness/programs.ts'
import { startOnTerminal } from '../harness/terminal.ts'
import { until } from '../harness/until.ts'
import { Workspace } from '../harness/workspace.ts'
import { IMAGE_TIMEOUT_MS, smallImage } from '../images/image-cache.ts'

export const kind: ManagerKind = managerUnderTest()

export const isOurs = kind === 'berthd'

export const BUSYBOX = 'localhost/busybox:test'

export interface ManagerSubject {
  readonly manager: Manager
  readonly workspace: Workspace
  /** An id of a container that is removed, and looked for, at the end of the test. */
  newId(): string
  /** `ctr run --detach` of the busybox image; waits until the task runs. */
  runDetached(command: readonly string[], options?: readonly string[]): Promise<string>
  /** The pid of the first process of a task. */
  pid(id: string): Promise<number>
  status(id: string): Promise<string | undefined>
  untilStatus(id: string, status: string): Promise<void>
  onTerminal(args: readonly string[]): RunningProgram
}

/** A program that ends on TERM with the code 9 and otherwise stays. */
export const PATIENT = ['sh', '-c', 'trap "exit 9" TERM; while :; do sleep 0.05; done'] as const

/**
 * A `describe` with a running manager that holds the busybox image. After each test its containers are
 * removed and the machine is searched for what they left; after the last the daemon is stopped and all
 * of its traces are searched for.
 */
export function describeManager(
  title: string,
  tests: (subject: () => ManagerSubject) => void,
  { withImage = true }: { readonly withImage?: boolean } = {},
): void {
  describe(`${title} [${kind}]`, function () {
    this.timeout(120_000)
    let workspace: Workspace
    let manager: Manager
    let token = ''

    before('the manager runs', async function () {
      this.timeout(IMAGE_TIMEOUT_MS)
      needRoot()
      const executable = kind === 'berthd' ? programs.berthd : programs.containerd
      if (!isExecutable(executable))
        throw new Error(`${executable} is not there: build it first, or set MANAGER`)
      const image = withImage ? await smallImage() : undefined
      workspace = new Workspace()
      manager = workspace.use(new Manager(workspace, kind))
      await manager.start()
      if (image !== undefined) await manager.ctrOk(['images', 'import', image.archive])
    })
    after('the manager leaves nothing behind', async () => {
      await workspace[Symbol.asyncDispose]()
    })
    beforeEach(() => {
      token = `bc${randomBytes(4).toString('hex')}`
    })
    afterEach('the containers of the test leave nothing behind', async () => {
      await manager.removeContainers(token)
      let leaks: readonly string[] = []
      await until('no leaks', () => (leaks = findLeaks(token)).length === 0, 5_000).catch(
        () => undefined,
      )
      assert.deepEqual(leaks, [])
    })

    let count = 0
    const subject: ManagerSubject = {
      get manager() {
        return manager
      },
      get workspace() {
        return workspace
      },
      newId() {
        count += 1
        return `${token}-${String(count)}`
      },
      async runDetached(command, options = []) {
        const id = this.newId()
        await manager.ctrOk(['run', '--detach', ...options, BUSYBOX, id, ...command])
        await this.untilStatus(id, 'RUNNING')
        return id
      },
      async pid(id) {
        const { stdout } = await manager.ctrOk(['task', 'ls'])
        const pid = new RegExp(`^${id}\\s+(\\d+)`, 'm').exec(stdout)?.[1]
        if (pid === undefined) throw new Error(`${id} has no task: ${stdout}`)
        return Number(pid)
      },
      async status(id) {
        return (await manager.tasks()).get(id)
      },
      async untilStatus(id, status) {
        await until(`${id} to be ${status}`, async () => (await this.status(id)) === status)
      },
      onTerminal(args) {
        const [file, words] = manager.ctrCommand(args)
        return workspace.use(startOnTerminal(file, words, { env: workspace.env }))
      },
    }
    tests(() => subject)
  })
}

/** A refusal: not a success, not a death, and the sentence says the facts. */
export function assertRefused(result: Result, ...facts: readonly RegExp[]): void {
  assert.notEqual(result.exitCode, 0, explain(result, 'succeeded'))
  assert.ok(result.exitCode < 128, explain(result, 'died'))
  for (const fact of facts)
    assert.match(result.stderr, fact, explain(result, `lacks ${String(fact)}`))
}
