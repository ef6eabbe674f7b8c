/** @see runtime-spec v1.3 config.md#mounts */
import { parseIdMappings } from './id-mappings.ts'
import type { ObjectReader } from './reader.ts'
import type { MountSpec } from './types.ts'

export function parseMount(reader: ObjectReader): MountSpec {
  const destination = reader.string('destination')
  if (destination === '') reader.fail('destination', 'a path inside the container')
  if (!destination.startsWith('/')) {
    reader.warn('destination', `${JSON.stringify(destination)} is relative, taken as relative to /`)
  }
  const uidMappings = parseIdMappings(reader, 'uidMappings')
  const gidMappings = parseIdMappings(reader, 'gidMappings')
  if (uidMappings.length > 0 !== gidMappings.length > 0) {
    const missing = uidMappings.length > 0 ? 'gidMappings' : 'uidMappings'
    reader.fail(missing, 'uidMappings and gidMappings together')
  }
  return {
    destination,
    type: reader.nonEmptyString('type'),
    source: reader.nonEmptyString('source'),
    options: reader.strings('options'),
    uidMappings,
    gidMappings,
  }
}
