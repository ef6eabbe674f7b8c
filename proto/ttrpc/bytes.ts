/** The same memory as a Buffer, which is what the generated types want for `bytes` fields. */
export function bufferView(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The value of a `bytes` field that is not there. */
export const NO_BYTES = Buffer.alloc(0)
