/**
 * The addon's tests as one program that Bun compiles: what Node's N-API does and Bun's does not would
 * show here. Made and run by run.mjs; with `--program` it is one of `programs/`.
 */
import Mocha from 'mocha'

const programs: Readonly<Record<string, () => Promise<unknown>>> = {
  'reap-orphans': () => import('../programs/reap-orphans.ts'),
  idle: () => import('../programs/idle.ts'),
}

const [option, name = ''] = process.argv.slice(2)
const program = option === '--program' ? programs[name] : undefined
if (program !== undefined) {
  await program()
} else {
  const mocha = new Mocha({ reporter: 'dot', timeout: 10_000 })
  mocha.suite.emit('pre-require', globalThis, '', mocha)
  await import('../descriptors.test.ts')
  await import('../exits.test.ts')
  await import('../filters.test.ts')
  await import('../loop.test.ts')
  await import('../mounts.test.ts')
  await import('../orphans.test.ts')
  await import('../pumps.test.ts')
  await import('../sockets.test.ts')
  await import('../spawn.test.ts')
  await import('../terminals.test.ts')
  mocha.run((failures) => {
    process.exitCode = failures > 0 ? 1 : 0
  })
}
