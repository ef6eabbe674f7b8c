/** The way to the daemon: `Events.Forward` over ttrpc, on a connection that is made when needed. */
import {
  EventsDefinition,
  type ForwardRequest,
} from '../proto/generated/containerd/services/ttrpc/events/v1/events.ts'
import { native } from '../native/binding.ts'
import { wrapSystemError } from '../proto/errors/platform-error.ts'
import { TtrpcClient } from '../proto/ttrpc/client.ts'
import { FdChannel } from './fd-channel.ts'

/** As long as containerd's own shims give it. */
const FORWARD_TIMEOUT_MS = 5000
/** Lets a daemon that stores events tell a repeated one: delivery is at least once. */
export const SEQUENCE_METADATA = 'berth-event-sequence'

export class EventForwarder {
  readonly #path: string
  #client: TtrpcClient | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** @throws what the connection or the daemon reports; the next call connects anew */
  async forward(request: ForwardRequest, sequence: bigint): Promise<void> {
    if (this.#client === undefined || this.#client.isClosed) {
      this.#client = new TtrpcClient(new FdChannel(connect(this.#path)))
    }
    const metadata = new Map([[SEQUENCE_METADATA, String(sequence)]])
    const namespace = request.envelope?.namespace
    if (namespace !== undefined) metadata.set('containerd-namespace-ttrpc', namespace)
    await this.#client.call(EventsDefinition, 'forward', request, {
      timeoutMs: FORWARD_TIMEOUT_MS,
      metadata,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]()
  }
}

function connect(path: string): number {
  try {
    return native().connectUnix(path)
  } catch (error) {
    throw wrapSystemError(error, { action: 'connect to the daemon', path })
  }
}
