import {
  Progress,
  type Progress as ProgressMessage,
} from '../../../proto/generated/containerd/types/transfer/progress.ts'
import type { PullProgress } from '../../registry/image-puller.ts'
import type { ClientStream } from '../streaming/client-stream.ts'

const PROGRESS = 'containerd.types.transfer.Progress'
/** Of one blob; a display needs no more. */
const MIN_INTERVAL_MS = 100

/** Tells a client how a transfer is getting on; without a stream it tells nobody. */
export class ProgressReporter {
  readonly #stream: ClientStream | undefined
  readonly #lastDownloadMs = new Map<string, number>()

  constructor(stream: ClientStream | undefined) {
    this.#stream = stream
  }

  /** A step of the whole. */
  step(event: string, name = ''): void {
    this.#send({ event, name, parents: [], progress: 0n, total: 0n, desc: undefined })
  }

  blob({ event, name, descriptor, progressBytes }: PullProgress): void {
    if (event === 'downloading' && this.#isTooSoon(name)) return
    const { mediaType, digest, sizeBytes } = descriptor
    this.#send({
      event,
      name,
      parents: [],
      progress: progressBytes,
      total: BigInt(sizeBytes),
      desc: { mediaType, digest, size: BigInt(sizeBytes), annotations: {} },
    })
  }

  #isTooSoon(name: string): boolean {
    const nowMs = performance.now()
    if (nowMs - (this.#lastDownloadMs.get(name) ?? -Infinity) < MIN_INTERVAL_MS) return true
    this.#lastDownloadMs.set(name, nowMs)
    return false
  }

  #send(progress: ProgressMessage): void {
    const value = Buffer.from(Progress.encode(progress).finish())
    this.#stream?.send({ typeUrl: PROGRESS, value })
  }
}
