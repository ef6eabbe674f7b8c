/** The way to a process's streams: a terminal's, or those of pipes and FIFOs. */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import { PipeStreams } from './pipe-streams.ts'
import type { ProcessStreams, StreamRequest, StreamSettings } from './process-streams.ts'
import { parseStreamTarget } from './stream-target.ts'
import { TerminalStreams } from './terminal-streams.ts'

/** @throws notFound, permissionDenied … when the client's FIFOs cannot be opened; nothing stays open then */
export function openProcessStreams(
  request: StreamRequest,
  settings: StreamSettings,
): ProcessStreams {
  const stdin = parseStreamTarget(request.stdin)
  const stdout = parseStreamTarget(request.stdout)
  const stderr = parseStreamTarget(request.stderr)
  if (!request.terminal) return PipeStreams.open({ stdin, stdout, stderr }, settings)
  if (stderr.kind !== 'none') {
    throw new PlatformError('invalidArgument', {
      action: 'open the streams of a process',
      found: 'a terminal and stderr',
      wanted: 'no stderr: a terminal has one output',
    })
  }
  return TerminalStreams.open({ stdin, stdout })
}
