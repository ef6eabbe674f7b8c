import type { Logger } from 'pino'
import type { CallReporter } from './implement-service.ts'

/** Failed calls at debug (most are answers a client asked for), our own bugs at error with their stack. */
export function logCalls(log: Logger): CallReporter {
  return {
    bug: (method, error) => {
      log.error({ method, err: error }, 'a call failed in a way nobody foresaw')
    },
    failed: (method, { code, details }) => {
      log.debug({ method, code, details }, 'call failed')
    },
  }
}
