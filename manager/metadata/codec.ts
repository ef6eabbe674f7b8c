/**
 * Records as JSON text, with what JSON lacks: 64-bit integers and bytes.
 *
 * `{"$int": "12"}` is a bigint, `{"$bytes": "<base64>"}` is a Buffer, and `{"$object": {…}}` is a plain
 * object one of whose own keys starts with `$` (labels are free text). Undefined members are left out.
 */

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export function encodeRecord(value: unknown): string {
  return JSON.stringify(toJson(value))
}

/** The reverse of `encodeRecord`; bytes come back as Buffer. */
export function decodeRecord(text: string): unknown {
  return fromJson(JSON.parse(text) as Json)
}

function toJson(value: unknown): Json {
  if (typeof value === 'bigint') return { $int: value.toString() }
  if (value === null || typeof value !== 'object') {
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw new TypeError(`a record cannot hold a ${typeof value}`)
  }
  if (value instanceof Uint8Array) {
    return {
      $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
    }
  }
  if (Array.isArray(value)) return value.map(toJson)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]): [string, Json] => [key, toJson(member)])
  const object = Object.fromEntries(members)
  return members.some(([key]) => key.startsWith('$')) ? { $object: object } : object
}

function fromJson(json: Json): unknown {
  if (json === null || typeof json !== 'object') return json
  if (isArray(json)) return json.map(fromJson)
  if (typeof json['$int'] === 'string') return BigInt(json['$int'])
  if (typeof json['$bytes'] === 'string') return Buffer.from(json['$bytes'], 'base64')
  const escaped = json['$object']
  const members = typeof escaped === 'object' && escaped !== null ? escaped : json
  return Object.fromEntries(Object.entries(members).map(([key, member]) => [key, fromJson(member)]))
}

function isArray(json: Json): json is readonly Json[] {
  return Array.isArray(json)
}
