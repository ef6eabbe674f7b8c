/** What a process of a container may be, and what may happen to it. Pure: no process is touched here. */
import { PlatformError } from '../proto/errors/platform-error.ts'
import { Status } from '../proto/generated/containerd/types/task/task.ts'
import type { ExitRecord } from './exit-record.ts'

/** Each status carries only what exists then. */
export type ProcessState =
  /** An exec that was announced and not started. */
  | { readonly status: 'added' }
  /** The first process, waiting to be started. */
  | { readonly status: 'created'; readonly pid: number }
  | { readonly status: 'running'; readonly pid: number }
  | { readonly status: 'pausing'; readonly pid: number }
  | { readonly status: 'paused'; readonly pid: number }
  | { readonly status: 'stopped'; readonly exit: ExitRecord }

export type ProcessChange =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'pausing' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'exited'; readonly exit: ExitRecord }

/**
 * The state after a change.
 *
 * @param subject whose state it is, for the sentence
 * @throws failedPrecondition when the change cannot happen in this state
 */
export function changeState(
  state: ProcessState,
  change: ProcessChange,
  subject: string,
): ProcessState {
  switch (change.kind) {
    case 'started':
      if (state.status !== 'added' && state.status !== 'created')
        throw refusal('start', subject, state, 'created')
      return { status: 'running', pid: change.pid }
    case 'pausing':
      if (state.status !== 'running') throw refusal('pause', subject, state, 'running')
      return { status: 'pausing', pid: state.pid }
    case 'paused':
      if (state.status !== 'pausing') throw refusal('pause', subject, state, 'pausing')
      return { status: 'paused', pid: state.pid }
    case 'resumed':
      if (state.status !== 'paused' && state.status !== 'pausing') {
        throw refusal('resume', subject, state, 'paused')
      }
      return { status: 'running', pid: state.pid }
    case 'exited':
      if (state.status === 'stopped') throw refusal('end', subject, state, 'a living process')
      return { status: 'stopped', exit: change.exit }
  }
}

/** The error for an operation that the state does not allow. */
export function refusal(
  action: string,
  subject: string,
  state: ProcessState,
  wanted: string,
): PlatformError {
  return new PlatformError('failedPrecondition', { action, subject, found: state.status, wanted })
}

/** 0 for an exec that was never started. */
export function pidOf(state: ProcessState): number {
  switch (state.status) {
    case 'added':
      return 0
    case 'stopped':
      return state.exit.pid
    case 'created':
    case 'running':
    case 'pausing':
    case 'paused':
      return state.pid
  }
}

export function statusToProto(state: ProcessState): Status {
  switch (state.status) {
    case 'added':
    case 'created':
      return Status.CREATED
    case 'running':
      return Status.RUNNING
    case 'pausing':
      return Status.PAUSING
    case 'paused':
      return Status.PAUSED
    case 'stopped':
      return Status.STOPPED
  }
}
