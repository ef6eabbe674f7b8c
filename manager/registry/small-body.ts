import { PlatformError } from '../../proto/errors/platform-error.ts'
import { connectionFailure, type TransportResponse } from './transport.ts'

/** Reads an answer that is small by nature. @throws resourceExhausted when it is not */
export async function readSmallBody(
  { body, url }: TransportResponse,
  limitBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.byteLength
      if (sizeBytes > limitBytes) {
        throw new PlatformError('resourceExhausted', {
          action: 'read from registry',
          subject: url.host,
          found: `more than ${String(limitBytes)} bytes`,
          wanted: `at most ${String(limitBytes)} for ${url.pathname}`,
        })
      }
      chunks.push(chunk)
    }
  } catch (error) {
    throw connectionFailure(url, error)
  }
  return Buffer.concat(chunks)
}
