import type { FieldLookup } from './adaptor.ts'
import { parseFilter, type Selector } from './parse.ts'

/** Whether an object, seen through its fields, is selected. */
export type Filter = (lookup: FieldLookup) => boolean

/**
 * Parses the filters of a request: each string is an AND of selectors, the strings are alternatives,
 * and none at all selects everything.
 *
 * @throws invalidArgument
 */
export function parseFilters(texts: readonly string[]): Filter {
  const alternatives = texts.map(parseFilter)
  if (alternatives.length === 0) return () => true
  return (lookup) =>
    alternatives.some((selectors) => selectors.every((selector) => holds(selector, lookup)))
}

/** A field that is not there differs from every value, and is the empty string to a pattern. */
function holds(selector: Selector, lookup: FieldLookup): boolean {
  const value = lookup(selector.path)
  switch (selector.operator) {
    case 'present':
      return value !== undefined
    case 'equal':
      return value !== undefined && value === selector.value
    case 'notEqual':
      return value !== selector.value
    case 'matches':
      return selector.pattern.test(value ?? '')
  }
}
