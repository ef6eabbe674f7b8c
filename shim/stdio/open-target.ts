/** Opens the client's end of a stream so that a client that comes late, stalls or goes away harms nobody. */
import { closeSync, constants, fchownSync, fstatSync, openSync } from 'node:fs'
import { wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { StreamTarget } from './stream-target.ts'

export interface StreamOwner {
  readonly uid: number
  readonly gid: number
}

/**
 * A descriptor to write output to.
 *
 * A FIFO is opened for reading as well: opening does not wait for the client, and writing when it is gone
 * blocks once the FIFO is full instead of ending the writer with SIGPIPE, even when this process is
 * gone too. The client still sees the end of the stream when the last writer closes.
 */
export function openOutput(target: StreamTarget, owner: StreamOwner): number {
  switch (target.kind) {
    case 'none':
      return open('/dev/null', constants.O_WRONLY)
    case 'file':
      return open(target.path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o644)
    case 'path': {
      const fd = open(target.path, constants.O_RDWR)
      if (!fstatSync(fd).isFIFO()) {
        closeSync(fd)
        return open(target.path, constants.O_WRONLY | constants.O_APPEND)
      }
      if (owner.uid === 0 && owner.gid === 0) return fd
      try {
        fchownSync(fd, owner.uid, owner.gid)
        return fd
      } catch (error) {
        closeSync(fd)
        throw wrapSystemError(error, { action: 'change the owner of stream', path: target.path })
      }
    }
  }
}

/** Keeps what is in a FIFO from being lost while no client is attached, without being a writer. */
export function openKeeper(target: StreamTarget): number | undefined {
  if (target.kind !== 'path') return undefined
  const fd = open(target.path, constants.O_RDONLY | constants.O_NONBLOCK)
  if (fstatSync(fd).isFIFO()) return fd
  closeSync(fd)
  return undefined
}

/** A descriptor to read input from: never waits for the client's end. */
export function openInput(target: Exclude<StreamTarget, { readonly kind: 'none' }>): number {
  return open(target.path, constants.O_RDONLY | constants.O_NONBLOCK)
}

export function openNullInput(): number {
  return open('/dev/null', constants.O_RDONLY)
}

function open(path: string, flags: number, mode?: number): number {
  try {
    return openSync(path, flags, mode)
  } catch (error) {
    throw wrapSystemError(error, { action: 'open stream', path })
  }
}
