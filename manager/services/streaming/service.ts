import { PlatformError } from '../../../proto/errors/platform-error.ts'
import {
  StreamInit,
  type StreamingDefinition,
} from '../../../proto/generated/containerd/services/streaming/v1/streaming.ts'
import type { Any } from '../../../proto/generated/google/protobuf/any.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import { ClientStream } from './client-stream.ts'
import type { StreamRegistry } from './stream-registry.ts'

const STREAM_INIT = 'containerd.services.streaming.v1.StreamInit'

/** @see containerd-behaviour.md §j */
export class StreamingService implements ServiceHandlers<typeof StreamingDefinition> {
  readonly #streams: StreamRegistry

  constructor(streams: StreamRegistry) {
    this.#streams = streams
  }

  /** The first message names the stream; an empty one answers that it is known from now on. */
  async *stream(requests: AsyncIterable<Any>, context: CallContext): AsyncGenerator<Any> {
    const messages = requests[Symbol.asyncIterator]()
    const first = await messages.next()
    const id = first.done === true ? '' : parseInit(first.value)
    const stream = new ClientStream(messages)
    using _registration = this.#streams.add(context.namespace, id, stream)
    yield { typeUrl: 'google.protobuf.Empty', value: Buffer.alloc(0) }
    yield* stream.outgoing(context.signal)
  }
}

function parseInit({ typeUrl, value }: Any): string {
  const { id } = typeUrl.endsWith(STREAM_INIT) ? StreamInit.decode(value) : { id: '' }
  if (id !== '') return id
  throw new PlatformError('invalidArgument', {
    action: 'open stream',
    found: `a first message of type ${JSON.stringify(typeUrl)} without an id`,
    wanted: STREAM_INIT,
  })
}
