/**
 * Our .proto files against the facts of containerd's wire contract (fixtures/wire-facts.json): every
 * method and field is there, with the number, type and label it has on the wire, and nothing else is.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'

const REPOSITORY = join(import.meta.dirname, '../../../..')
const SCHEMA = join(REPOSITORY, 'proto/schema')

/** Members by name, by full name of what holds them. */
type Facts = Readonly<Record<string, Readonly<Record<string, string>>>>

interface WireFacts {
  /** `request -> response`, each with `stream ` before it when it is one. */
  readonly services: Facts
  /** `number label type`. */
  readonly messages: Facts
  /** The number. */
  readonly enums: Facts
}

const expected = JSON.parse(
  readFileSync(join(REPOSITORY, 'proto/test/fixtures/wire-facts.json'), 'utf8'),
) as WireFacts

const root = loadSchema()

function loadSchema(): protobuf.Root {
  const loaded = new protobuf.Root()
  loaded.resolvePath = (_origin, target) =>
    target.startsWith('google/protobuf/') ? target : join(SCHEMA, target)
  const files = readdirSync(SCHEMA, { recursive: true, encoding: 'utf8' })
  loaded.loadSync(
    files.filter((file) => file.endsWith('.proto')),
    { keepCase: true },
  )
  loaded.resolveAll()
  return loaded
}

/** Names in reflection start with a dot. */
function nameOf(object: protobuf.ReflectionObject | null, fallback: string): string {
  return object === null ? fallback : object.fullName.slice(1)
}

function describeMethod(method: protobuf.Method): string {
  const request = nameOf(method.resolvedRequestType, method.requestType)
  const response = nameOf(method.resolvedResponseType, method.responseType)
  const stream = (is: boolean | undefined): string => (is === true ? 'stream ' : '')
  return `${stream(method.requestStream)}${request} -> ${stream(method.responseStream)}${response}`
}

function describeField(field: protobuf.Field): string {
  const type = nameOf(field.resolvedType, field.type)
  if (field instanceof protobuf.MapField) return `${field.id} map map<${field.keyType},${type}>`
  const isOptional = field.options?.['proto3_optional'] === true
  const label = field.repeated ? 'repeated' : isOptional ? 'optional' : 'singular'
  return `${field.id} ${label} ${type}`
}

function mapValues<T>(members: Readonly<Record<string, T>>, describe: (member: T) => string) {
  return Object.fromEntries(
    Object.entries(members).map(([name, member]) => [name, describe(member)]),
  )
}

describe('the schema has the wire contract of containerd', () => {
  it('knows at least the services a client needs', () => {
    const names = Object.keys(expected.services)
    assert.ok(names.includes('containerd.services.tasks.v1.Tasks'))
    assert.ok(names.includes('containerd.services.content.v1.Content'))
  })

  for (const [name, methods] of Object.entries(expected.services)) {
    it(`service ${name}`, () => {
      assert.deepEqual(mapValues(root.lookupService(name).methods, describeMethod), methods)
    })
  }

  for (const [name, fields] of Object.entries(expected.messages)) {
    it(`message ${name}`, () => {
      assert.deepEqual(mapValues(root.lookupType(name).fields, describeField), fields)
    })
  }

  for (const [name, values] of Object.entries(expected.enums)) {
    it(`enum ${name}`, () => {
      assert.deepEqual(mapValues(root.lookupEnum(name).values, String), values)
    })
  }
})
