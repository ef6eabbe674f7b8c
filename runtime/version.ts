/** Of the program; the same as in package.json (a test compares them). */
export const RUNTIME_VERSION = '0.1.0'

/** The newest runtime-spec whose documents are understood whole. */
export const SPEC_VERSION = '1.3.0'
