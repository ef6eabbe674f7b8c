/** The shim's entry: `start`, `delete`, `-info`, `-v`, or without a command the server. */
import { STDERR, STDOUT, writeBytes, writeText } from '../native/write-text.ts'
import { PlatformError } from '../proto/errors/platform-error.ts'
import { parseArguments, type ShimArguments } from './bootstrap/arguments.ts'
import { identify } from './bootstrap/identity.ts'

const EXIT_USAGE = 64
const EXIT_FAILURE = 1

/** @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await run(parseArguments(args))
    return 0
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error)
    writeText(STDERR, `${sentence}\n`)
    return error instanceof PlatformError && error.facts.action === 'read the command line'
      ? EXIT_USAGE
      : EXIT_FAILURE
  }
}

/** Each command loads only what it needs: `start` is on the way of every container. */
async function run(args: ShimArguments): Promise<void> {
  switch (args.command) {
    case 'version': {
      const { versionText } = await import('./bootstrap/info.ts')
      writeText(STDOUT, versionText(process.argv0))
      return
    }
    case 'info': {
      const { runtimeInfo } = await import('./bootstrap/info.ts')
      writeBytes(STDOUT, runtimeInfo())
      return
    }
    case 'start': {
      const { start } = await import('./bootstrap/start.ts')
      writeText(STDOUT, await start(identify(args, process.env), process.cwd(), process.env))
      return
    }
    case 'delete': {
      const { deleteContainer } = await import('./bootstrap/delete.ts')
      const bundle = args.bundle === '' ? process.cwd() : args.bundle
      const response = await deleteContainer(identify(args, process.env), bundle, (line) => {
        writeText(STDERR, `${line}\n`)
      })
      writeBytes(STDOUT, response)
      return
    }
    case 'serve': {
      const { serve } = await import('./server.ts')
      await serve(identify(args, process.env), process.cwd(), args.socket)
      return
    }
  }
}
