/** @see runtime-spec v1.3 config-linux.md#user-namespace-mappings */
import { type ObjectReader, UINT32 } from './reader.ts'
import type { IdMapping } from './types.ts'

export function parseIdMappings(reader: ObjectReader, key: string): readonly IdMapping[] {
  return reader.objects(key, (item) => ({
    containerId: item.integer('containerID', UINT32),
    hostId: item.integer('hostID', UINT32),
    size: item.integer('size', { min: 1, max: UINT32.max }),
  }))
}
