import assert from 'node:assert/strict'
import { isLocalAddress, isLoopbackHost } from '../address-policy.ts'
import { parseChallenges } from '../auth.ts'

describe('RFC 9110 11.6.1 WWW-Authenticate', () => {
  it('reads scheme and parameters', () => {
    const header =
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"'
    assert.deepEqual(parseChallenges(header), [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.example/token',
          service: 'registry.example',
          scope: 'repository:a/b:pull,push',
        },
      },
    ])
  })

  it('reads several challenges in one header', () => {
    const schemes = parseChallenges('Negotiate, Basic realm="a \\"b\\"", Bearer realm=x').map(
      ({ scheme, parameters }) => [scheme, parameters['realm']],
    )
    assert.deepEqual(schemes, [
      ['negotiate', undefined],
      ['basic', 'a "b"'],
      ['bearer', 'x'],
    ])
  })

  it('ends at what it cannot read', () => {
    assert.deepEqual(parseChallenges('Basic realm="x" ;;; Bearer realm="evil"'), [
      { scheme: 'basic', parameters: { realm: 'x' } },
    ])
  })

  it('reads nothing out of nothing', () => {
    assert.deepEqual(parseChallenges(''), [])
  })
})

describe('security.md S-83: addresses a registry must not send us to', () => {
  const local = ['127.0.0.1', '127.8.9.1', '0.0.0.0', '169.254.169.254', '::1', '::', 'fe80::1']
  const mapped = ['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe']
  for (const address of [...local, ...mapped]) {
    it(`${address} is local`, () => {
      assert.equal(isLocalAddress(address), true)
    })
  }

  for (const address of ['93.184.216.34', '10.0.0.1', '2606:4700::1', '::ffff:8.8.8.8']) {
    it(`${address} is not`, () => {
      assert.equal(isLocalAddress(address), false)
    })
  }

  it('knows the names of this machine, and only these', () => {
    const hosts = ['localhost', '127.0.0.1', '[::1]', 'localhost.evil.example', '127.0.0.1.evil']
    assert.deepEqual(hosts.map(isLoopbackHost), [true, true, true, false, false])
  })
})
