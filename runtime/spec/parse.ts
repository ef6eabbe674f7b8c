/** Text to typed values: the only ways into `Spec`, `ProcessSpec` and `LinuxResources`. */
import { checkConsistency } from './consistency.ts'
import { parseHooks } from './hooks.ts'
import { parseJson } from './json.ts'
import { parseLinux } from './linux.ts'
import { parseMount } from './mounts.ts'
import { parseProcess } from './process.ts'
import { ObjectReader } from './reader.ts'
import { parseResources } from './resources.ts'
import type { LinuxResources, ProcessSpec, Spec } from './types.ts'

/** A parsed document and what was ignored in it, each as a sentence for the log. */
export interface Parsed<T> {
  readonly value: T
  readonly warnings: readonly string[]
}

/**
 * config.json.
 *
 * @throws invalidArgument with the JSON pointer (or line and column) in `step`
 * @see runtime-spec v1.3 config.md
 */
export function parseSpec(text: string): Parsed<Spec> {
  const reader = ObjectReader.root(parseJson(text, 'config.json'), 'config.json')
  const ociVersion = parseVersion(reader)
  const root = reader.optionalObject('root')
  if (root === undefined) return reader.fail('root', 'an object with the path of the rootfs')
  const rootPath = root.string('path')
  if (rootPath === '') root.fail('path', 'the path of the rootfs')
  const process = reader.optionalObject('process')
  if (process === undefined) return reader.fail('process', 'an object that says what to run')
  const spec: Spec = {
    ociVersion,
    root: { path: rootPath, readonly: root.boolean('readonly') },
    process: parseProcess(process),
    hostname: reader.nonEmptyString('hostname'),
    domainname: reader.nonEmptyString('domainname'),
    mounts: reader.objects('mounts', parseMount),
    hooks: parseHooks(reader.optionalObject('hooks')),
    annotations: reader.stringMap('annotations', { allowNul: true }),
    linux: parseLinux(reader.optionalObject('linux')),
  }
  checkConsistency(spec)
  return { value: spec, warnings: reader.warnings }
}

/** The process object alone, as `exec --process` and the task API's exec take it. */
export function parseProcessDocument(text: string): Parsed<ProcessSpec> {
  const reader = ObjectReader.root(parseJson(text, 'process.json'), 'process.json')
  return { value: parseProcess(reader), warnings: reader.warnings }
}

/** linux.resources alone, as `update --resources` and the task API's update take it. */
export function parseResourcesDocument(text: string): Parsed<LinuxResources> {
  const reader = ObjectReader.root(parseJson(text, 'resources'), 'resources')
  return { value: parseResources(reader), warnings: reader.warnings }
}

/** @see config.md#specification-version; every 1.x is readable, members we do not know are ignored */
function parseVersion(reader: ObjectReader): string {
  const version = reader.string('ociVersion')
  if (!/^1\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$/.test(version)) {
    reader.fail('ociVersion', 'a version 1.x.y of the runtime-spec')
  }
  return version
}
