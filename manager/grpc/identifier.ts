import { PlatformError } from '../../proto/errors/platform-error.ts'

const MAX_IDENTIFIER_CHARS = 76
/** Runs of letters and digits, joined by single separators. Linear: no two parts can match the same text. */
const IDENTIFIER = /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/

/**
 * Checks the name of a namespace, a container, an exec or a topic component.
 *
 * @throws invalidArgument
 * @see containerd-behaviour.md §a
 */
export function parseIdentifier(raw: string, what: string): string {
  if (raw === '') {
    throw new PlatformError('invalidArgument', {
      action: `check ${what}`,
      found: 'an empty string',
      wanted: 'a name',
    })
  }
  if (raw.length > MAX_IDENTIFIER_CHARS) {
    throw new PlatformError('invalidArgument', {
      action: `check ${what}`,
      subject: JSON.stringify(raw.slice(0, MAX_IDENTIFIER_CHARS) + '…'),
      found: `${String(raw.length)} characters`,
      wanted: `at most ${String(MAX_IDENTIFIER_CHARS)}`,
    })
  }
  if (!IDENTIFIER.test(raw)) {
    throw new PlatformError('invalidArgument', {
      action: `check ${what}`,
      found: JSON.stringify(raw),
      wanted: 'letters and digits, joined by single ".", "_" or "-"',
    })
  }
  return raw
}
