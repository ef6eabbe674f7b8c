import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Options } from '../../proto/generated/containerd/types/runc/options/oci.ts'
import { loadRuntimeOptions, parseRuntimeOptions, saveRuntimeOptions } from '../runtime-options.ts'

const encoded = (typeUrl: string) => ({
  typeUrl,
  value: Buffer.from(
    Options.encode(
      Options.fromPartial({ binaryName: '/usr/sbin/runc', systemdCgroup: true }),
    ).finish(),
  ),
})

describe('containerd.runc.v1.Options', () => {
  for (const typeUrl of [
    'containerd.runc.v1.Options',
    'types.containerd.io/containerd.runc.v1.Options',
  ]) {
    it(`is read from ${typeUrl}`, () => {
      const { binaryName, systemdCgroup } = parseRuntimeOptions(encoded(typeUrl))
      assert.deepEqual(
        { binaryName, systemdCgroup },
        { binaryName: '/usr/sbin/runc', systemdCgroup: true },
      )
    })
  }

  it('defaults to our runtime in this process', () => {
    assert.equal(parseRuntimeOptions(undefined).binaryName, '')
  })

  it('ignores the generic options that CRI sends', () => {
    assert.equal(parseRuntimeOptions(encoded('runtimeoptions.v1.Options')).binaryName, '')
  })

  it('refuses another message', () => {
    assert.throws(() => parseRuntimeOptions(encoded('io.kata.Options')), {
      code: 'invalidArgument',
      message: /found io\.kata\.Options, want containerd\.runc\.v1\.Options/,
    })
  })

  it('refuses bytes that do not decode', () => {
    const any = { typeUrl: 'containerd.runc.v1.Options', value: Buffer.from([0xff, 0xff]) }
    assert.throws(() => parseRuntimeOptions(any), { code: 'invalidArgument' })
  })

  it('comes back from the bundle as it was saved', () => {
    const bundle = mkdtempSync(join(tmpdir(), 'berth-options-'))
    try {
      assert.equal(loadRuntimeOptions(bundle), undefined)
      const options = parseRuntimeOptions(encoded('containerd.runc.v1.Options'))
      saveRuntimeOptions(bundle, options)
      assert.deepEqual(loadRuntimeOptions(bundle), options)
    } finally {
      rmSync(bundle, { recursive: true })
    }
  })
})
