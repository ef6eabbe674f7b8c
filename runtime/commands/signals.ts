import { constants } from 'node:os'
import { usageError } from './arguments.ts'

const SIGRTMIN = 34
const SIGRTMAX = 64

/** `KILL`, `SIGKILL`, `sigkill`, `9`, `RTMIN+3`. @throws invalidArgument */
export function parseSignal(text: string): number {
  const number = /^\d{1,2}$/.test(text) ? Number(text) : undefined
  const signal = number ?? signalByName(text.toUpperCase().replace(/^SIG/, ''))
  if (signal !== undefined && signal >= 1 && signal <= SIGRTMAX) return signal
  throw usageError(
    `unknown signal ${JSON.stringify(text)}: want a name like TERM or a number from 1 to ${SIGRTMAX}`,
  )
}

function signalByName(name: string): number | undefined {
  const [, base, offset = '0'] = /^(RTMIN|RTMAX)([+-]\d{1,2})?$/.exec(name) ?? []
  if (base !== undefined) return (base === 'RTMIN' ? SIGRTMIN : SIGRTMAX) + Number(offset)
  const signals: Readonly<Record<string, number>> = constants.signals
  return Object.hasOwn(signals, `SIG${name}`) ? signals[`SIG${name}`] : undefined
}
