/** What `start` and the server it launches agree on. */

export const PROGRAM_NAME = 'containerd-shim-berth-v2'

/** The descriptor at which the server finds its listening socket. */
export const LISTEN_FD = 3

/**
 * Engine settings for the server. It does little, rarely, and there is one per container: machine code would
 * cost it more memory (measured: 1.7 of 6.5 MB) than it could ever save time.
 */
export const SERVER_ENGINE_ENV = ['BUN_JSC_useJIT=0']
