import assert from 'node:assert/strict'
import {
  FRAME_TYPE,
  HEADER_BYTES,
  MAX_DATA_BYTES,
  decodeFrame,
  encodeFrame,
  type Frame,
} from '../frame.ts'
import { FrameReader, type ReadItem } from '../frame-reader.ts'

function frame(streamId: number, text: string): Frame {
  return { streamId, type: FRAME_TYPE.request, flags: 0, data: Buffer.from(text) }
}

function header(dataBytes: number, streamId: number, type: number, flags: number): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.writeUInt32BE(dataBytes, 0)
  bytes.writeUInt32BE(streamId, 4)
  bytes.writeUInt8(type, 8)
  bytes.writeUInt8(flags, 9)
  return bytes
}

/** Items with their data copied, as text. */
function readAll(reader: FrameReader, chunks: readonly Uint8Array[]): readonly string[] {
  const seen: string[] = []
  const describeItem = (item: ReadItem): string => {
    switch (item.kind) {
      case 'frame':
        return `frame ${String(item.frame.streamId)} ${Buffer.from(item.frame.data).toString()}`
      case 'oversized':
        return `oversized ${String(item.streamId)} ${String(item.dataBytes)}`
      case 'malformed':
        return `malformed ${item.reason}`
    }
  }
  for (const chunk of chunks) for (const item of reader.push(chunk)) seen.push(describeItem(item))
  return seen
}

describe('containerd-behaviour.md §i ttrpc framing', () => {
  it('puts length, stream id, type and flags big endian before the data', () => {
    const bytes = encodeFrame({ streamId: 0x01020305, type: 2, flags: 4, data: Buffer.from('ab') })
    assert.equal(Buffer.from(bytes).toString('hex'), '00000002010203050204' + '6162')
  })

  it('decodes what it encoded, also with no data', () => {
    for (const text of ['', 'x', 'a longer text']) {
      const bytes = encodeFrame(frame(7, text))
      const decoded = decodeFrame(bytes)
      assert.deepEqual(decoded, {
        kind: 'frame',
        frame: { streamId: 7, type: 1, flags: 0, data: bytes.subarray(HEADER_BYTES) },
        consumedBytes: bytes.byteLength,
      })
    }
  })

  it('refuses to encode more than 4 MiB', () => {
    const data = new Uint8Array(MAX_DATA_BYTES + 1)
    assert.throws(() => encodeFrame({ streamId: 1, type: 1, flags: 0, data }), RangeError)
  })

  const malformed: readonly [string, Uint8Array, RegExp][] = [
    ['a length whose first byte is not 0', header(0x0100_0000, 1, 1, 0), /first byte/],
    ['stream id 0', header(0, 0, 1, 0), /stream id 0/],
    ['an unknown type', header(0, 1, 9, 0), /frame type 9/],
    ['unknown flags', header(0, 1, 1, 0x80), /flags 0x80/],
  ]
  for (const [name, bytes, reason] of malformed) {
    it(`calls ${name} malformed`, () => {
      const decoded = decodeFrame(bytes)
      assert.equal(decoded.kind, 'malformed')
      assert.match(JSON.stringify(decoded), reason)
    })
  }
})

describe('FrameReader', () => {
  it('gives the same frames wherever the bytes are split', () => {
    const bytes = Buffer.concat([
      encodeFrame(frame(1, 'first')),
      encodeFrame(frame(3, '')),
      encodeFrame(frame(5, 'third')),
    ])
    const wanted = ['frame 1 first', 'frame 3 ', 'frame 5 third']
    for (let at = 0; at <= bytes.byteLength; at++) {
      const parts = [bytes.subarray(0, at), bytes.subarray(at)]
      assert.deepEqual(readAll(new FrameReader(), parts), wanted, `split at ${String(at)}`)
    }
    const single = [...bytes].map((byte) => Uint8Array.of(byte))
    assert.deepEqual(readAll(new FrameReader(), single), wanted)
  })

  it('throws the data of an oversized frame away and goes on with the next', () => {
    const dataBytes = MAX_DATA_BYTES + 1
    const reader = new FrameReader()
    const seen = readAll(reader, [
      header(dataBytes, 1, 1, 0),
      new Uint8Array(MAX_DATA_BYTES),
      Buffer.concat([new Uint8Array(1), encodeFrame(frame(3, 'next'))]),
    ])
    assert.deepEqual(seen, [`oversized 1 ${String(dataBytes)}`, 'frame 3 next'])
  })

  it('yields nothing after malformed bytes', () => {
    const seen = readAll(new FrameReader(), [header(0, 0, 1, 0), encodeFrame(frame(1, 'late'))])
    assert.deepEqual(seen.length, 1)
  })

  it('survives 2000 random streams (seeded)', () => {
    let state = 0x2545f491
    const random = (): number => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state >>> 0
    }
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.from(Array.from({ length: random() % 64 }, () => random() & 0xff))
      // Half of them begin like a frame, so that the fuzz gets past the header.
      if (random() % 2 === 0 && bytes.byteLength >= HEADER_BYTES) {
        Buffer.from(header(random() % 40, (random() % 9) + 1, (random() % 3) + 1, 0)).copy(bytes)
      }
      const cut = bytes.byteLength === 0 ? 0 : random() % bytes.byteLength
      const whole = readAll(new FrameReader(), [bytes])
      const split = readAll(new FrameReader(), [bytes.subarray(0, cut), bytes.subarray(cut)])
      assert.deepEqual(split, whole)
    }
  })
})
