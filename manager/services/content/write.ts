import { PlatformError } from '../../../proto/errors/platform-error.ts'
import {
  WriteAction,
  type WriteContentRequest,
  type WriteContentResponse,
} from '../../../proto/generated/containerd/services/content/v1/content.ts'
import type { ContentStore } from '../../content/content-store.ts'
import type { ContentWriter } from '../../content/content-writer.ts'
import type { Digest } from '../../content/digest.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import { optionalDigest, writeResponse } from './convert.ts'

/** What the messages so far have announced. */
interface Announced {
  readonly totalBytes: bigint
  readonly expected: Digest | undefined
}

/**
 * Content.Write: one response for each request, in lock step, until a COMMIT. The first message names
 * the ref, which is locked while the stream lives; an ingest that is not committed stays for a later stream.
 *
 * @see containerd-behaviour.md §c
 */
export async function* writeContent(
  content: ContentStore,
  requests: AsyncIterable<WriteContentRequest>,
  context: CallContext,
): AsyncGenerator<WriteContentResponse> {
  let writer: ContentWriter | undefined
  let announced: Announced = { totalBytes: 0n, expected: undefined }
  try {
    for await (const request of requests) {
      announced = announce(announced, request)
      writer ??= await open(content, request, context, announced)
      if (announced.expected !== undefined) {
        await refuseKnown(content, context, writer.ref, announced.expected)
      }
      yield await step(writer, request, announced)
      if (request.action === WriteAction.COMMIT) return
    }
  } finally {
    await writer?.[Symbol.asyncDispose]()
  }
}

function announce(before: Announced, { total, expected }: WriteContentRequest): Announced {
  if (total < 0n) {
    throw new PlatformError('invalidArgument', {
      action: 'write content',
      found: `a total of ${String(total)} bytes`,
      wanted: 'none below zero',
    })
  }
  return {
    totalBytes: total === 0n ? before.totalBytes : total,
    expected: optionalDigest(expected) ?? before.expected,
  }
}

function open(
  content: ContentStore,
  { ref }: WriteContentRequest,
  context: CallContext,
  announced: Announced,
): Promise<ContentWriter> {
  if (ref === '') {
    throw new PlatformError('invalidArgument', {
      action: 'write content',
      found: 'a first message without a ref',
      wanted: 'the ref of the ingest',
    })
  }
  return content.openWriter(context, { ref, ...announced })
}

/** A digest named later than at the start may turn out to be there: then there is nothing to write. */
async function refuseKnown(
  content: ContentStore,
  context: CallContext,
  ref: string,
  expected: Digest,
): Promise<void> {
  if (!content.has(context.namespace, expected)) return
  await content.abort(context, ref)
  throw new PlatformError('alreadyExists', { action: 'write content', subject: expected })
}

async function step(
  writer: ContentWriter,
  request: WriteContentRequest,
  announced: Announced,
): Promise<WriteContentResponse> {
  const { action } = request
  switch (action) {
    case WriteAction.STAT:
      return writeResponse(action, statusOf(writer, announced), writer.digest())
    case WriteAction.WRITE:
    case WriteAction.COMMIT: {
      await append(writer, request)
      if (action === WriteAction.WRITE) {
        return writeResponse(action, statusOf(writer, announced), writer.digest())
      }
      const { digest } = await writer.commit({ ...announced, labels: request.labels })
      return writeResponse(action, statusOf(writer, announced), digest)
    }
    default:
      throw new PlatformError('invalidArgument', {
        action: 'write content',
        found: `the action ${String(action satisfies never)}`,
        wanted: 'STAT, WRITE or COMMIT',
      })
  }
}

function statusOf(writer: ContentWriter, { totalBytes }: Announced) {
  return { ...writer.status(), totalBytes }
}

/** Offset 0 on an ingest that has data means: from the start again. */
async function append(writer: ContentWriter, { offset, data }: WriteContentRequest): Promise<void> {
  const { offsetBytes } = writer
  if (offset === 0n && offsetBytes > 0n) await writer.truncate()
  else if (offset !== offsetBytes) {
    throw new PlatformError('outOfRange', {
      action: 'write content',
      subject: writer.ref,
      found: `offset ${String(offset)}`,
      wanted: `the current one, ${String(offsetBytes)}`,
    })
  }
  if (data.byteLength > 0) await writer.write(data)
}
