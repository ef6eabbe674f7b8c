import assert from 'node:assert/strict'
import { summarizeConfig } from '../container-config.ts'

const withNamespaces = (namespaces: unknown) => summarizeConfig({ linux: { namespaces } })

describe('what the shim must know of config.json', () => {
  it('has a pid namespace of its own', () => {
    assert.equal(withNamespaces([{ type: 'mount' }, { type: 'pid' }]).hasOwnPidNamespace, true)
  })

  it('shares the pid namespace it is told to join', () => {
    const namespaces = [{ type: 'pid', path: '/proc/1/ns/pid' }]
    assert.equal(withNamespaces(namespaces).hasOwnPidNamespace, false)
  })

  for (const config of [null, 1, [], {}, { linux: null }, { linux: { namespaces: 'pid' } }]) {
    it(`assumes no pid namespace in ${JSON.stringify(config)}`, () => {
      assert.equal(summarizeConfig(config).hasOwnPidNamespace, false)
    })
  }

  for (const name of ['apparmorProfile', 'selinuxLabel']) {
    it(`is confined by ${name}`, () => {
      assert.equal(summarizeConfig({ process: { [name]: 'x' } }).isConfined, true)
      assert.equal(summarizeConfig({ process: { [name]: '' } }).isConfined, false)
    })
  }
})
