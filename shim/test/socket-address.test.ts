import assert from 'node:assert/strict'
import { MAX_SOCKET_PATH_BYTES, shimSocketAddress } from '../bootstrap/socket-address.ts'

const identity = (stateDirectory: string) => ({
  address: `${stateDirectory}/containerd.sock`,
  namespace: 'default',
  stateDirectory,
})

describe('shim socket address', () => {
  it('says whose shim it is', async () => {
    const { directory, path } = await shimSocketAddress(identity('/run/containerd'), 'c1')
    assert.equal(directory, '/run/containerd/s')
    assert.equal(path, '/run/containerd/s/containerd.sock:default:c1')
  })

  it('is the hash that containerd uses when the name is too long', async () => {
    const { path } = await shimSocketAddress(identity('/run/containerd'), 'c'.repeat(76))
    // sha256 of /run/containerd/containerd.sock/default/ccc…
    assert.equal(
      path,
      '/run/containerd/s/2ed4011689ffb9a93c1a1f570fd243be2dc0dfa0f7136f05cffe509fb8333d35',
    )
  })

  for (const group of ['../../etc/x', 'a/b', 'a:b', '', '.hidden', 'a\nb']) {
    it(`is a hash for the group ${JSON.stringify(group)}`, async () => {
      const { path } = await shimSocketAddress(identity('/run/containerd'), group)
      assert.match(path, /^\/run\/containerd\/s\/[0-9a-f]{64}$/)
    })
  }

  it('differs between groups and daemons', async () => {
    const addresses = await Promise.all([
      shimSocketAddress(identity('/run/a'), 'c1'),
      shimSocketAddress(identity('/run/a'), 'c2'),
      shimSocketAddress(identity('/run/b'), 'c1'),
      shimSocketAddress({ ...identity('/run/a'), address: '/run/a/other.sock' }, 'c1'),
    ])
    assert.equal(new Set(addresses.map(({ path }) => path)).size, 4)
  })

  for (const directoryBytes of [20, 39, 40, 60, 71, 72, 100, 200]) {
    it(`fits into sun_path below a directory of ${String(directoryBytes)} bytes`, async () => {
      const { path } = await shimSocketAddress(identity(`/${'d'.repeat(directoryBytes - 1)}`), 'c1')
      assert.ok(Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES, path)
    })
  }
})
