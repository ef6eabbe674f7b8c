/**
 * Generates both sides of the plan from the operation table: `native/generated/operations.ts` (types and
 * encoder) and `native/init/generated/operations.h` (structs and decoder). Run by the build.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FieldType, OPERATIONS, STEPS, SYNC_POINTS } from './table.ts'

const NATIVE = join(import.meta.dirname, '..')

const TS_TYPE: Readonly<Record<FieldType, string>> = {
  u32: 'number',
  u64: 'bigint',
  i32: 'number',
  string: 'string',
  bytes: 'Uint8Array',
  strings: 'readonly string[]',
  u32s: 'readonly number[]',
  flag: 'boolean',
  descriptor: 'number',
}

const CPP_TYPE: Readonly<Record<FieldType, string>> = {
  u32: 'std::uint32_t',
  u64: 'std::uint64_t',
  i32: 'std::int32_t',
  string: 'Text',
  bytes: 'Bytes',
  strings: 'TextList',
  u32s: 'NumberList',
  flag: 'bool',
  descriptor: 'Descriptor',
}

/** `mountFilesystem` → `MountFilesystem` */
function pascal(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1)
}

/** `open_tree` → `OpenTree`, `read plan` → `ReadPlan` */
function stepName(step: string): string {
  return step
    .split(/[ _]/)
    .map((word) => pascal(word))
    .join('')
}

function fieldsOf(operation: (typeof OPERATIONS)[number]): [string, FieldType][] {
  return Object.entries(operation.fields)
}

function generateTypeScript(): string {
  const lines = [
    '// Generated from native/operations/table.ts. Do not edit.',
    "import { PlanWriter } from '../operations/plan-writer.ts'",
    '',
  ]
  for (const operation of OPERATIONS) {
    lines.push(`/** ${operation.doc} */`, `export interface ${pascal(operation.name)}Operation {`)
    lines.push(`  readonly op: '${operation.name}'`)
    for (const [name, type] of fieldsOf(operation))
      lines.push(`  readonly ${name}: ${TS_TYPE[type]}`)
    lines.push('}', '')
  }
  lines.push('export type Operation =')
  for (const { name } of OPERATIONS) lines.push(`  | ${pascal(name)}Operation`)
  lines.push('', '/** Encodes a plan as `berth-init` reads it. */')
  lines.push('export function encodePlan(operations: readonly Operation[]): Uint8Array {')
  lines.push('  const out = new PlanWriter(operations.length)')
  lines.push('  for (const operation of operations) {', '    switch (operation.op) {')
  OPERATIONS.forEach((operation, code) => {
    lines.push(`      case '${operation.name}':`, `        out.u32(${String(code)})`)
    for (const [name, type] of fieldsOf(operation))
      lines.push(`        out.${type}(operation.${name})`)
    lines.push('        break')
  })
  lines.push('    }', '  }', '  return out.finish()', '}', '')
  lines.push(`export const STEPS = ${JSON.stringify(STEPS)} as const`, '')
  lines.push(`export const SYNC_POINTS = ${JSON.stringify(SYNC_POINTS)} as const`, '')
  return lines.join('\n')
}

function generateCpp(): string {
  const lines = [
    '// Generated from native/operations/table.ts. Do not edit.',
    '#pragma once',
    '#include <cstdint>',
    '#include "../plan-reader.h"',
    '',
    'namespace berth {',
    '',
    'enum class Step : std::uint32_t {',
    ...STEPS.map((step) => `  ${stepName(step)},`),
    '};',
    '',
  ]
  for (const operation of OPERATIONS) {
    lines.push(`// ${operation.doc}`, `struct ${pascal(operation.name)} {`)
    for (const [name, type] of fieldsOf(operation)) lines.push(`  ${CPP_TYPE[type]} ${name};`)
    lines.push('};', '')
  }
  for (const { name } of OPERATIONS) lines.push(`void execute(const ${pascal(name)}& operation);`)
  lines.push(
    '',
    '// Decodes the next operation and executes it. An unknown code is a broken plan.',
    'inline void execute_next(PlanReader& plan) {',
    '  switch (plan.u32()) {',
  )
  OPERATIONS.forEach((operation, code) => {
    const fields = fieldsOf(operation)
    lines.push(`    case ${String(code)}: {`)
    lines.push(`      ${fields.length === 0 ? 'const ' : ''}${pascal(operation.name)} operation{};`)
    for (const [name, type] of fields)
      lines.push(`      operation.${name} = plan.${readerMethod(type)}();`)
    lines.push('      execute(operation);', '      break;', '    }')
  })
  lines.push('    default:', '      plan.fail();', '  }', '}', '', '}  // namespace berth', '')
  return lines.join('\n')
}

function readerMethod(type: FieldType): string {
  return type === 'string'
    ? 'text'
    : type === 'strings'
      ? 'texts'
      : type === 'u32s'
        ? 'numbers'
        : type
}

mkdirSync(join(NATIVE, 'generated'), { recursive: true })
mkdirSync(join(NATIVE, 'init/generated'), { recursive: true })
writeFileSync(join(NATIVE, 'generated/operations.ts'), generateTypeScript())
writeFileSync(join(NATIVE, 'init/generated/operations.h'), generateCpp())
