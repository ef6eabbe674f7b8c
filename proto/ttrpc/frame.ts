/**
 * The ttrpc frame: bytes in, value out, no socket.
 *
 * @see containerd-behaviour.md §i (ttrpc framing)
 */

/** u32 data length, u32 stream id, u8 type, u8 flags, all big endian. */
export const HEADER_BYTES = 10

/** The most data a peer accepts in one frame. */
export const MAX_DATA_BYTES = 4 * 1024 * 1024

/** The first length byte is reserved and zero; beyond this the peer does not speak ttrpc. */
const MAX_LENGTH_FIELD = 0x00ff_ffff

export const FRAME_TYPE = { request: 1, response: 2, data: 3 } as const
export type FrameType = (typeof FRAME_TYPE)[keyof typeof FRAME_TYPE]

/** Bits of the flags byte. */
export const FRAME_FLAG = { remoteClosed: 1, remoteOpen: 2, noData: 4 } as const
const KNOWN_FLAGS = FRAME_FLAG.remoteClosed | FRAME_FLAG.remoteOpen | FRAME_FLAG.noData

export interface Frame {
  /** Odd for streams that the client opened, never 0. */
  readonly streamId: number
  readonly type: FrameType
  /** FRAME_FLAG bits. */
  readonly flags: number
  readonly data: Uint8Array
}

/** What the beginning of a byte sequence is. */
export type Decoded =
  | { readonly kind: 'incomplete'; readonly wantedBytes: number }
  | {
      /** A well-formed header whose data is over the limit: the data follows and is to be discarded. */
      readonly kind: 'oversized'
      readonly streamId: number
      readonly type: FrameType
      readonly dataBytes: number
      /** Only the header. */
      readonly consumedBytes: number
    }
  | { readonly kind: 'frame'; readonly frame: Frame; readonly consumedBytes: number }
  /** Not ttrpc: nothing after it can be trusted, the connection ends. */
  | { readonly kind: 'malformed'; readonly reason: string }

/**
 * Decodes the frame at the start of `bytes`. The frame's data is a view of `bytes`.
 */
export function decodeFrame(bytes: Uint8Array): Decoded {
  if (bytes.byteLength < HEADER_BYTES) return { kind: 'incomplete', wantedBytes: HEADER_BYTES }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES)
  const dataBytes = view.getUint32(0)
  const streamId = view.getUint32(4)
  const type = parseType(view.getUint8(8))
  const flags = view.getUint8(9)
  if (dataBytes > MAX_LENGTH_FIELD) {
    return {
      kind: 'malformed',
      reason: `found data length ${String(dataBytes)}, want its first byte to be 0`,
    }
  }
  if (streamId === 0) return { kind: 'malformed', reason: 'found stream id 0, want a positive one' }
  if (type === undefined) {
    return {
      kind: 'malformed',
      reason: `found frame type ${String(view.getUint8(8))}, want 1, 2 or 3`,
    }
  }
  if ((flags & ~KNOWN_FLAGS) !== 0) {
    return { kind: 'malformed', reason: `found flags 0x${flags.toString(16)}, want bits of 0x7` }
  }
  if (dataBytes > MAX_DATA_BYTES) {
    return { kind: 'oversized', streamId, type, dataBytes, consumedBytes: HEADER_BYTES }
  }
  const consumedBytes = HEADER_BYTES + dataBytes
  if (bytes.byteLength < consumedBytes) return { kind: 'incomplete', wantedBytes: consumedBytes }
  const data = bytes.subarray(HEADER_BYTES, consumedBytes)
  return { kind: 'frame', frame: { streamId, type, flags, data }, consumedBytes }
}

/** @throws RangeError when the data is over MAX_DATA_BYTES; callers check before they encode. */
export function encodeFrame({ streamId, type, flags, data }: Frame): Uint8Array {
  if (data.byteLength > MAX_DATA_BYTES) {
    throw new RangeError(
      `encode ttrpc frame: found ${String(data.byteLength)} bytes, want at most ${String(MAX_DATA_BYTES)}`,
    )
  }
  const out = new Uint8Array(HEADER_BYTES + data.byteLength)
  const view = new DataView(out.buffer)
  view.setUint32(0, data.byteLength)
  view.setUint32(4, streamId)
  view.setUint8(8, type)
  view.setUint8(9, flags)
  out.set(data, HEADER_BYTES)
  return out
}

function parseType(raw: number): FrameType | undefined {
  switch (raw) {
    case FRAME_TYPE.request:
    case FRAME_TYPE.response:
    case FRAME_TYPE.data:
      return raw
    default:
      return undefined
  }
}
