import assert from 'node:assert/strict'
import { MAX_SOCKET_PATH_BYTES, shimSocketAddress } from '../bootstrap/socket-address.ts'

const identity = (stateDirectory: string) => ({
  address: `${stateDirectory}/containerd.sock`,
  namespace: 'default',
  stateDirectory,
})

describe('shim socket address', () => {
  it('is where containerd looks for it', () => {
    const { path } = shimSocketAddress(identity('/run/containerd'), 'c1')
    // sha256 of /run/containerd/containerd.sock/default/c1
    assert.equal(
      path,
      '/run/containerd/s/d25aa4ef11a84e954e74a5bcff06557d0b6ea8d0c00243896f29826694bbd888',
    )
  })

  it('differs between groups and daemons', () => {
    const paths = [
      shimSocketAddress(identity('/run/a'), 'c1').path,
      shimSocketAddress(identity('/run/a'), 'c2').path,
      shimSocketAddress(identity('/run/b'), 'c1').path,
    ]
    assert.equal(new Set(paths).size, 3)
  })

  for (const directoryBytes of [20, 39, 40, 60, 71, 72, 100, 200]) {
    it(`fits into sun_path below a directory of ${String(directoryBytes)} bytes`, () => {
      const { path } = shimSocketAddress(identity(`/${'d'.repeat(directoryBytes - 1)}`), 'c1')
      assert.ok(Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES, path)
    })
  }
})
