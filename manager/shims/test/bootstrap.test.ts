import assert from 'node:assert/strict'
import { BootstrapResult } from '../../../proto/generated/containerd/runtime/bootstrap/v1/bootstrap.ts'
import { encodeBootstrapFile, parseBootstrapAnswer } from '../bootstrap.ts'

describe('containerd-behaviour.md §i: what a shim prints when started', () => {
  it('reads a plain address as version 2', () => {
    assert.deepEqual(parseBootstrapAnswer(Buffer.from('unix:///run/s/abc\n')), {
      version: 2,
      socketPath: '/run/s/abc',
    })
  })

  it('reads JSON', () => {
    const answer = '{"version":3,"address":"unix:///run/s/abc","protocol":"ttrpc"}'
    assert.deepEqual(parseBootstrapAnswer(Buffer.from(answer)), {
      version: 3,
      socketPath: '/run/s/abc',
    })
  })

  it('reads a protobuf BootstrapResult', () => {
    const answer = BootstrapResult.encode(
      BootstrapResult.fromPartial({
        version: 3,
        address: 'unix:///run/s/abc',
        protocol: 'ttrpc',
      }),
    ).finish()
    assert.deepEqual(parseBootstrapAnswer(answer), { version: 3, socketPath: '/run/s/abc' })
  })

  it('reads back what it keeps in the bundle', () => {
    const endpoint = { version: 2, socketPath: '/run/s/abc' } as const
    assert.deepEqual(parseBootstrapAnswer(Buffer.from(encodeBootstrapFile(endpoint))), endpoint)
  })

  const bad: readonly [string, string, string][] = [
    ['nothing', '', 'invalidArgument'],
    ['a sentence', 'shim: something broke', 'invalidArgument'],
    ['JSON without an address', '{"version":2}', 'invalidArgument'],
    ['broken JSON', '{"version":', 'invalidArgument'],
    ['gRPC', '{"version":3,"address":"unix:///x","protocol":"grpc"}', 'unimplemented'],
    [
      'a version to come',
      '{"version":4,"address":"unix:///x","protocol":"ttrpc"}',
      'unimplemented',
    ],
    ['an abstract socket', 'unix://@shim', 'invalidArgument'],
  ]
  for (const [what, text, code] of bad) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseBootstrapAnswer(Buffer.from(text)), { code })
    })
  }
})
