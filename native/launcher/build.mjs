// @ts-check
import { buildStaticProgram } from '../static-program.mjs'

buildStaticProgram(import.meta.dirname, 'berth-launch')
