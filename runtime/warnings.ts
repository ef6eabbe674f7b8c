/**
 * Where warnings of the runtime go: what was ignored in a config.json, a poststop hook that failed. They
 * belong to the program, not to one call: the command line sends them to its log, the shim to its own.
 */
let sink: (warning: string) => void = () => undefined

export function onRuntimeWarning(receive: (warning: string) => void): void {
  sink = receive
}

export function warn(warning: string): void {
  sink(warning)
}
