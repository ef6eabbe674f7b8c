import type { Envelope } from '../../../proto/generated/containerd/types/event.ts'
import type { EventEnvelope } from '../../events/event-hub.ts'
import { decodeEvent } from '../../events/event-types.ts'
import { presentString, type FieldLookup } from '../../filters/adaptor.ts'
import { required } from '../../grpc/required.ts'
import { nowNs, timestampFromProto, timestampToProto } from '../../metadata/timestamp.ts'

export function envelopeToProto(envelope: EventEnvelope): Envelope {
  const { timestampNs, namespace, topic, event } = envelope
  return { timestamp: timestampToProto(timestampNs), namespace, topic, event }
}

/** @throws invalidArgument when there is no event */
export function envelopeFromProto(message: Envelope | undefined): EventEnvelope {
  const { timestamp, namespace, topic, event } = required(message, 'envelope')
  return {
    timestampNs: timestamp === undefined ? nowNs() : timestampFromProto(timestamp),
    namespace,
    topic,
    event: required(event, 'envelope.event'),
  }
}

/** `topic`, `namespace`, and `event.<field>` by the names of the protocol (`event.container_id`). */
export function envelopeField({ namespace, topic, event }: EventEnvelope): FieldLookup {
  return ([field, ...rest]) => {
    switch (field) {
      case 'namespace':
        return presentString(namespace)
      case 'topic':
        return presentString(topic)
      case 'event':
        return eventField(decodeEvent(event.typeUrl, event.value), rest)
      default:
        return undefined
    }
  }
}

function eventField(value: unknown, path: readonly string[]): string | undefined {
  const [name, ...rest] = path
  if (name === undefined) return scalarField(value)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined
  // A map (labels) takes the rest of the path as its key, a message one component.
  const whole = path.join('.')
  if (Object.hasOwn(value, whole)) return scalarField(Reflect.get(value, whole))
  const member = camelCase(name)
  return Object.hasOwn(value, member) ? eventField(Reflect.get(value, member), rest) : undefined
}

function scalarField(value: unknown): string | undefined {
  if (typeof value === 'string') return presentString(value)
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
    ? String(value)
    : undefined
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
}
