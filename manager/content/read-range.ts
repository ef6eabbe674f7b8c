import { PlatformError, wrapSystemError } from '../../proto/errors/platform-error.ts'
import type { OpenBlob } from './open-blobs.ts'
import type { BlobInfo } from './records.ts'

const CHUNK_BYTES = 1024 * 1024

/** Reads a part of a blob; the range is checked before the first chunk is asked for. */
export function readRange(
  open: () => Promise<OpenBlob>,
  { digest, sizeBytes: blobBytes }: BlobInfo,
  offsetBytes: bigint,
  sizeBytes: bigint,
): AsyncGenerator<{ readonly offsetBytes: bigint; readonly data: Buffer }> {
  if (offsetBytes < 0n || sizeBytes < 0n) {
    throw new PlatformError('invalidArgument', {
      action: 'read content',
      subject: digest,
      found: `offset ${String(offsetBytes)} and size ${String(sizeBytes)}`,
      wanted: 'none below zero',
    })
  }
  if (offsetBytes > blobBytes) {
    throw new PlatformError('outOfRange', {
      action: 'read content',
      subject: digest,
      found: `offset ${String(offsetBytes)}`,
      wanted: `at most its size, ${String(blobBytes)}`,
    })
  }
  const available = blobBytes - offsetBytes
  const wanted = sizeBytes === 0n || sizeBytes > available ? available : sizeBytes
  return chunks(open, digest, offsetBytes, offsetBytes + wanted)
}

async function* chunks(
  open: () => Promise<OpenBlob>,
  digest: string,
  startBytes: bigint,
  endBytes: bigint,
): AsyncGenerator<{ readonly offsetBytes: bigint; readonly data: Buffer }> {
  await using blob = await open()
  const { file } = blob
  try {
    for (let offsetBytes = startBytes; offsetBytes < endBytes;) {
      const length = Math.min(CHUNK_BYTES, Number(endBytes - offsetBytes))
      // A buffer of its own: the receiver may still be sending it when the next chunk is read.
      const buffer = Buffer.allocUnsafeSlow(length)
      const { bytesRead } = await file.read(buffer, 0, length, Number(offsetBytes))
      if (bytesRead === 0) throw truncated(digest, offsetBytes, endBytes)
      yield { offsetBytes, data: buffer.subarray(0, bytesRead) }
      offsetBytes += BigInt(bytesRead)
    }
  } catch (error) {
    throw wrapSystemError(error, { action: 'read content', subject: digest })
  }
}

function truncated(digest: string, offsetBytes: bigint, endBytes: bigint): PlatformError {
  return new PlatformError('dataLoss', {
    action: 'read content',
    subject: digest,
    found: `the end of the file after ${String(offsetBytes)} bytes`,
    wanted: `${String(endBytes)} bytes`,
    hint: 'the blob was damaged on disk',
  })
}
