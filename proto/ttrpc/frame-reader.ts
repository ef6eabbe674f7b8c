/** Cuts a byte stream into frames; holds at most one unfinished frame. No socket. */
import { HEADER_BYTES, decodeFrame, type Decoded } from './frame.ts'

/** Everything decodeFrame can say about bytes that are there. */
export type ReadItem = Exclude<Decoded, { readonly kind: 'incomplete' }>

export class FrameReader {
  #chunks: Uint8Array[] = []
  #heldBytes = 0
  /** Bytes needed before decoding is worth another try. */
  #wantedBytes = HEADER_BYTES
  /** Data bytes of an oversized frame still to be thrown away. */
  #discardBytes = 0
  #isBroken = false;

  /**
   * Takes the next bytes of the stream and yields what they complete. After a `malformed` item nothing
   * is yielded any more. Data of the yielded frames is valid until the next push.
   */
  *push(chunk: Uint8Array): Generator<ReadItem, void> {
    if (this.#isBroken) return
    let bytes = this.#discard(chunk)
    if (bytes.byteLength === 0) return
    this.#chunks.push(bytes)
    this.#heldBytes += bytes.byteLength
    if (this.#heldBytes < this.#wantedBytes) return
    // Joining only when a whole frame is there keeps a frame that arrives in many pieces linear.
    bytes = this.#takeAll()
    for (;;) {
      const decoded = decodeFrame(bytes)
      switch (decoded.kind) {
        case 'incomplete':
          this.#wantedBytes = decoded.wantedBytes
          if (bytes.byteLength > 0) {
            // A copy, so that a small rest does not keep a large chunk alive.
            this.#chunks = [bytes.slice()]
            this.#heldBytes = bytes.byteLength
          }
          return
        case 'malformed':
          this.#isBroken = true
          yield decoded
          return
        case 'oversized':
          yield decoded
          this.#discardBytes = decoded.dataBytes
          bytes = this.#discard(bytes.subarray(decoded.consumedBytes))
          break
        case 'frame':
          yield decoded
          bytes = bytes.subarray(decoded.consumedBytes)
          break
      }
    }
  }

  #discard(bytes: Uint8Array): Uint8Array {
    const dropped = Math.min(this.#discardBytes, bytes.byteLength)
    this.#discardBytes -= dropped
    return bytes.subarray(dropped)
  }

  #takeAll(): Uint8Array {
    const [first] = this.#chunks
    const bytes =
      this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#heldBytes = 0
    this.#wantedBytes = HEADER_BYTES
    return bytes
  }
}
