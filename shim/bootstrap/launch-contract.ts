/** What `start` and the server it launches agree on. */

export const PROGRAM_NAME = 'containerd-shim-berth-v2'

/** The descriptor at which the server finds its listening socket. */
export const LISTEN_FD = 3

/**
 * Engine settings for the server. It does little, rarely, and there is one per container, so it is set to
 * give memory back early instead of running fast: no machine code, bytecode dropped after use, a collection
 * from 256 KiB on instead of 32 MiB, one collector thread (measured together: 6.7 to 4.0 MB private).
 */
export const SERVER_ENGINE_ENV = [
  'BUN_JSC_useJIT=0',
  'BUN_JSC_useEagerCodeBlockJettisonTiming=1',
  'BUN_JSC_largeHeapSize=262144',
  'BUN_JSC_useConcurrentGC=0',
  'BUN_JSC_numberOfGCMarkers=1',
]
