import { PlatformError } from '../../proto/errors/platform-error.ts'

export type Labels = Readonly<Record<string, string>>

/** Of key and value together. */
const MAX_LABEL_BYTES = 4096

/**
 * Checks labels and drops those with an empty value: an empty value deletes.
 *
 * @throws invalidArgument
 */
export function parseLabels(labels: Labels): Labels {
  const kept = Object.entries(labels).filter(([key, value]) => {
    const sizeBytes = Buffer.byteLength(key) + Buffer.byteLength(value)
    if (sizeBytes > MAX_LABEL_BYTES) {
      throw new PlatformError('invalidArgument', {
        action: 'check label',
        subject: key.slice(0, 64),
        found: `${String(sizeBytes)} bytes of key and value`,
        wanted: `at most ${String(MAX_LABEL_BYTES)}`,
      })
    }
    return value !== ''
  })
  return Object.fromEntries(kept)
}

/** The labels with one of them set, or deleted when the value is empty. */
export function withLabel(labels: Labels, key: string, value: string): Labels {
  return { ...labels, [key]: value }
}
