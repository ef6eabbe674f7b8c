import type { Empty } from '../../../proto/generated/google/protobuf/empty.ts'
import type {
  EventsDefinition,
  ForwardRequest,
  PublishRequest,
  SubscribeRequest,
} from '../../../proto/generated/containerd/services/events/v1/events.ts'
import type { Envelope } from '../../../proto/generated/containerd/types/event.ts'
import type { EventEnvelope, EventHub } from '../../events/event-hub.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import { required } from '../../grpc/required.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import { nowNs } from '../../metadata/timestamp.ts'
import { envelopeField, envelopeFromProto, envelopeToProto } from './convert.ts'

export class EventsService implements ServiceHandlers<typeof EventsDefinition> {
  readonly #events: EventHub

  constructor(events: EventHub) {
    this.#events = events
  }

  async publish({ topic, event }: PublishRequest, { namespace }: CallContext): Promise<Empty> {
    this.#events.forward({
      timestampNs: nowNs(),
      namespace,
      topic,
      event: required(event, 'event'),
    })
    return Promise.resolve({})
  }

  async forward({ envelope }: ForwardRequest): Promise<Empty> {
    this.#events.forward(envelopeFromProto(envelope))
    return Promise.resolve({})
  }

  /** Sees all namespaces; the subscription stands before the first event is waited for. */
  subscribe({ filters }: SubscribeRequest, { signal }: CallContext): AsyncIterable<Envelope> {
    const accepts = parseFilters(filters)
    const envelopes = this.#events.subscribe((one) => accepts(envelopeField(one)), signal)
    return messages(envelopes)
  }
}

async function* messages(envelopes: AsyncIterable<EventEnvelope>): AsyncGenerator<Envelope> {
  for await (const envelope of envelopes) yield envelopeToProto(envelope)
}
