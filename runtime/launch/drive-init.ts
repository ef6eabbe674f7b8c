/** The parent's part while berth-init executes a plan: answer its sync points until the program is ready or runs. */
import { closeSync } from 'node:fs'
import { SYNC_POINTS } from '../../native/generated/operations.ts'
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { Plan } from '../plan/plan.ts'
import { errorOfInitFailure } from './init-failure.ts'
import type { InitProcess } from './init-process.ts'

/** What the parent does at each point, while init waits. */
export interface SyncSteps {
  idMap?(pid: number): void
  createRuntime?(pid: number): Promise<void>
}

export interface DrivenInit {
  /** `ready`: waits for the start socket. `executed`: the program runs. */
  readonly outcome: 'ready' | 'executed'
  /** The terminal's master. */
  readonly consoleFd: number | undefined
}

/** @throws what init reports, with the operation and the system call; the process has to be killed then */
export async function driveInit(
  init: InitProcess,
  plan: Plan,
  id: string,
  steps: SyncSteps,
): Promise<DrivenInit> {
  let consoleFd: number | undefined
  try {
    for (;;) {
      const report = await init.next()
      switch (report?.kind) {
        case undefined:
          return { outcome: 'executed', consoleFd }
        case 'failure':
          throw errorOfInitFailure(report, plan, id)
        case 'sync':
          await answerSync(report.point, init.pid, steps)
          init.go()
          break
        case 'forked':
          init.adopt(report.pidfd)
          init.go()
          break
        case 'console':
          consoleFd = report.masterFd
          break
        case 'ready':
          return { outcome: 'ready', consoleFd }
      }
    }
  } catch (error) {
    if (consoleFd !== undefined) closeSync(consoleFd)
    throw error
  }
}

async function answerSync(point: number, pid: number, steps: SyncSteps): Promise<void> {
  switch (point) {
    case SYNC_POINTS.idMap:
      steps.idMap?.(pid)
      return
    case SYNC_POINTS.createRuntime:
      await steps.createRuntime?.(pid)
      return
    default:
      throw new PlatformError('internal', {
        action: 'answer berth-init',
        found: `sync point ${String(point)}`,
        wanted: 'a point of this version: berth-init and berth must come from one build',
      })
  }
}
