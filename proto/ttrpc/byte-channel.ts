/**
 * What ttrpc needs of a connection. A `Duplex` or `Socket` of Node is one; a program that pays for each
 * megabyte brings a smaller one.
 */
export interface ByteChannel {
  /** No more can be sent or received. */
  readonly destroyed: boolean
  /** Destroyed, and 'close' has been told. */
  readonly closed: boolean
  readonly writable: boolean
  /** Bytes that were written and that the peer has not taken yet. */
  readonly writableLength: number
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  once(event: 'close', listener: () => void): unknown
  write(bytes: Uint8Array): unknown
  /** Calls back when everything written has been taken. */
  end(onFinished: () => void): unknown
  destroy(): unknown
}
