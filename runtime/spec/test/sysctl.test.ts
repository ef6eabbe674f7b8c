import assert from 'node:assert/strict'
import { sysctlNamespace, sysctlPath } from '../sysctl.ts'

describe('sysctlPath', () => {
  for (const [name, path] of [
    ['net.ipv4.ip_forward', 'net/ipv4/ip_forward'],
    ['net/ipv4/ip_forward', 'net/ipv4/ip_forward'],
    ['net.ipv4.conf.eth0/1.forwarding', 'net/ipv4/conf/eth0.1/forwarding'],
    ['net/ipv4/conf/eth0.1/forwarding', 'net/ipv4/conf/eth0.1/forwarding'],
    ['net/../kernel/core_pattern', undefined],
    ['net.//.kernel', undefined],
    ['/etc/passwd', undefined],
    ['', undefined],
  ] as const) {
    it(`${JSON.stringify(name)} is ${path ?? 'no parameter'}`, () => {
      assert.equal(sysctlPath(name), path)
    })
  }
})

describe('sysctlNamespace', () => {
  for (const [path, namespace] of [
    ['net/core/somaxconn', 'network'],
    ['kernel/shmmax', 'ipc'],
    ['fs/mqueue/msg_max', 'ipc'],
    ['kernel/domainname', 'uts'],
    ['kernel/hostname', undefined],
    ['kernel/core_pattern', undefined],
    ['vm/swappiness', undefined],
  ] as const) {
    it(`${path} belongs to ${namespace ?? 'the machine'}`, () => {
      assert.equal(sysctlNamespace(path), namespace)
    })
  }
})
