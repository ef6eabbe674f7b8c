import assert from 'node:assert/strict'
import { parseArguments } from '../bootstrap/arguments.ts'
import { identify, runtimeRootOf } from '../bootstrap/identity.ts'

const line = (extra: string): readonly string[] => extra.split(' ').filter((word) => word !== '')

describe('shim identity', () => {
  it('takes the flags, and the event address from the environment', () => {
    const identity = identify(parseArguments(line('-namespace n -id c1 -address /run/x/c.sock')), {
      TTRPC_ADDRESS: 'unix:///run/x/c.sock.ttrpc',
    })
    assert.equal(identity.stateDirectory, '/run/x')
    assert.equal(identity.ttrpcAddress, '/run/x/c.sock.ttrpc')
  })

  it('falls back to the environment for namespace and address', () => {
    const identity = identify(parseArguments(line('-id c1')), {
      NAMESPACE: 'moby',
      GRPC_ADDRESS: '/run/y/c.sock',
    })
    assert.equal(identity.namespace, 'moby')
    assert.equal(identity.stateDirectory, '/run/y')
    assert.equal(identity.ttrpcAddress, undefined)
  })

  for (const id of ['../up', 'a/b', '', '.', '..', '-a', 'a b', 'a\nb']) {
    it(`refuses the id ${JSON.stringify(id)}`, () => {
      const args = { ...parseArguments(line('-namespace n')), id }
      assert.throws(() => identify(args, {}), { code: 'invalidArgument' })
    })
  }

  it('refuses a namespace that leaves its directory', () => {
    const args = parseArguments(line('-namespace ../n -id c1'))
    assert.throws(() => identify(args, {}), { code: 'invalidArgument', message: /-namespace/ })
  })

  it('separates the state of daemons and of namespaces', () => {
    const identity = identify(
      parseArguments(line('-namespace n -id c1 -address /run/x/c.sock')),
      {},
    )
    assert.equal(runtimeRootOf(identity, 'berth', ''), '/run/x/berth-runtime/n')
    assert.equal(runtimeRootOf(identity, 'oci', ''), '/run/x/runc/n')
    assert.equal(runtimeRootOf(identity, 'oci', '/own'), '/own/n')
  })
})
