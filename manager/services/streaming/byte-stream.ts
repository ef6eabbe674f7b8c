import { PlatformError } from '../../../proto/errors/platform-error.ts'
import { Data, WindowUpdate } from '../../../proto/generated/containerd/types/transfer/streaming.ts'
import type { ClientStream } from './client-stream.ts'

const DATA = 'containerd.types.transfer.Data'
const WINDOW_UPDATE = 'containerd.types.transfer.WindowUpdate'
/** The client may send this much before it hears from us again. */
const WINDOW_BYTES = 1024 * 1024

/**
 * The bytes a client sends over a stream, under credit that is renewed as they are consumed.
 *
 * @throws invalidArgument for another kind of message
 */
export async function* receiveBytes(stream: ClientStream): AsyncGenerator<Buffer> {
  grant(stream, WINDOW_BYTES)
  let consumedBytes = 0
  for (
    let message = await stream.receive();
    message !== undefined;
    message = await stream.receive()
  ) {
    if (!message.typeUrl.endsWith(DATA)) {
      throw new PlatformError('invalidArgument', {
        action: 'read stream',
        found: `a message of type ${JSON.stringify(message.typeUrl)}`,
        wanted: DATA,
      })
    }
    const { data } = Data.decode(message.value)
    yield Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    consumedBytes += data.byteLength
    if (consumedBytes >= WINDOW_BYTES / 2) {
      grant(stream, consumedBytes)
      consumedBytes = 0
    }
  }
}

function grant(stream: ClientStream, bytes: number): void {
  const value = Buffer.from(WindowUpdate.encode({ update: bytes }).finish())
  stream.send({ typeUrl: WINDOW_UPDATE, value })
}
