/** Writes tar archives byte by byte, also such as no well-meaning tool would write. */

export type TarType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo'

const TYPE_FLAG: Readonly<Record<TarType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

export interface TarEntry {
  readonly name: string
  readonly type?: TarType
  readonly data?: string | Buffer
  readonly link?: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly major?: number
  readonly minor?: number
  /** Put before the entry, as bytes. */
  readonly pax?: Readonly<Record<string, string | Buffer>>
}

const BLOCK_BYTES = 512

export function buildTar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(encodeEntry), Buffer.alloc(2 * BLOCK_BYTES)])
}

function encodeEntry(entry: TarEntry): Buffer[] {
  const { name, type = 'file', data = '', pax = {} } = entry
  const bytes = Buffer.from(data)
  // What does not fit the old header goes into a record.
  const records = { ...pax, ...(Buffer.byteLength(name) > 100 ? { path: name } : {}) }
  const extra = Object.keys(records).length === 0 ? [] : encodePax(records)
  return [...extra, header(entry, TYPE_FLAG[type], bytes.byteLength), ...padded(bytes)]
}

function encodePax(records: Readonly<Record<string, string | Buffer>>): Buffer[] {
  const body = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)))
  return [header({ name: 'PaxHeader' }, 'x', body.byteLength), ...padded(body)]
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')])
  let length = rest.byteLength
  while (String(length).length + rest.byteLength !== length) {
    length = String(length).length + rest.byteLength
  }
  return Buffer.concat([Buffer.from(String(length)), rest])
}

function header(entry: TarEntry, typeFlag: string, sizeBytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  block.write(entry.name.slice(0, 100), 0)
  writeNumber(block, entry.mode ?? (entry.type === 'directory' ? 0o755 : 0o644), 100, 8)
  writeNumber(block, entry.uid ?? 0, 108, 8)
  writeNumber(block, entry.gid ?? 0, 116, 8)
  writeNumber(block, sizeBytes, 124, 12)
  writeNumber(block, 1_600_000_000, 136, 12)
  block.write(' '.repeat(8), 148)
  block.write(typeFlag, 156)
  block.write((entry.link ?? '').slice(0, 100), 157)
  block.write('ustar\0' + '00', 257)
  writeNumber(block, entry.major ?? 0, 329, 8)
  writeNumber(block, entry.minor ?? 0, 337, 8)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** Octal text where it fits, else GNU's base 256, two's complement. */
function writeNumber(block: Buffer, value: number, offset: number, width: number): void {
  const octal = value.toString(8)
  if (value >= 0 && octal.length < width) {
    block.write(octal.padStart(width - 1, '0'), offset)
    return
  }
  let rest = BigInt.asUintN(8 * width, BigInt(value))
  for (let i = width - 1; i >= 0; i--) {
    block[offset + i] = Number(rest & 255n)
    rest >>= 8n
  }
  block[offset] = (block[offset] ?? 0) | 0x80
}

function padded(bytes: Buffer): Buffer[] {
  const missing = (BLOCK_BYTES - (bytes.byteLength % BLOCK_BYTES)) % BLOCK_BYTES
  return [bytes, Buffer.alloc(missing)]
}
