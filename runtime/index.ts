/** The runtime as a library: the shim's way in. */
export type * from './api.ts'
export { create } from './launch/create.ts'
export { exec } from './launch/exec.ts'
export { start } from './launch/start.ts'
