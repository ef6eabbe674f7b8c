import assert from 'node:assert/strict'
import { status } from '@grpc/grpc-js'
import {
  ContainersDefinition,
  type Container,
} from '../../../proto/generated/containerd/services/containers/v1/containers.ts'
import {
  ImagesDefinition,
  type Image,
} from '../../../proto/generated/containerd/services/images/v1/images.ts'
import { IntrospectionDefinition } from '../../../proto/generated/containerd/services/introspection/v1/introspection.ts'
import { LeasesDefinition } from '../../../proto/generated/containerd/services/leases/v1/leases.ts'
import { NamespacesDefinition } from '../../../proto/generated/containerd/services/namespaces/v1/namespace.ts'
import { HealthDefinition } from '../../../proto/generated/grpc/health/v1/health.ts'
import { inNamespace, openCoreFixture, type CoreFixture } from './core-fixture.ts'

const ns = inNamespace('ns')
const digest = `sha256:${'a'.repeat(64)}`
const otherDigest = `sha256:${'b'.repeat(64)}`

const image = (name: string, more: object = {}): Image =>
  ({ name, labels: {}, target: { mediaType: 'm', digest, size: 3n }, ...more }) as Image

const container = (id: string, more: object = {}): Container =>
  ({
    id,
    image: 'i',
    labels: {},
    runtime: { name: 'io.containerd.runc.v2' },
    spec: { typeUrl: 't', value: Buffer.from('{}') },
    ...more,
  }) as Container

describe('metadata services: containerd-behaviour.md §a, §b', () => {
  let fixture: CoreFixture

  beforeEach(async () => {
    fixture = await openCoreFixture()
  })

  afterEach(async () => {
    const { bugs } = fixture
    await fixture[Symbol.asyncDispose]()
    assert.deepEqual(bugs, [])
  })

  describe('Namespaces', () => {
    const call: CoreFixture['client']['unary'] = (...args) => fixture.client.unary(...args)

    it('needs no namespace header; creates, finds, lists, updates, deletes', async () => {
      const labels = { 'a.b/c': '1' }
      await call(NamespacesDefinition, 'create', { namespace: { name: 'x', labels } })
      const found = await call(NamespacesDefinition, 'get', { name: 'x' })
      assert.deepEqual(found.namespace, { name: 'x', labels })
      const namespace = { name: 'x', labels: { 'a.b/c': '', d: '2' } }
      await call(NamespacesDefinition, 'update', { namespace, updateMask: ['labels.d'] })
      await call(NamespacesDefinition, 'update', { namespace, updateMask: ['labels.a.b/c'] })
      const { namespaces } = await call(NamespacesDefinition, 'list', {})
      assert.deepEqual(namespaces, [{ name: 'x', labels: { d: '2' } }])
      await call(NamespacesDefinition, 'delete', { name: 'x' })
      await assert.rejects(call(NamespacesDefinition, 'get', { name: 'x' }), {
        code: status.NOT_FOUND,
      })
    })

    it('answers AlreadyExists to a second create, InvalidArgument to a bad name', async () => {
      const namespace = { name: 'x', labels: {} }
      await call(NamespacesDefinition, 'create', { namespace })
      await assert.rejects(call(NamespacesDefinition, 'create', { namespace }), {
        code: status.ALREADY_EXISTS,
        details: /: already exists$/,
      })
      const bad = { namespace: { name: 'a/b', labels: {} } }
      await assert.rejects(call(NamespacesDefinition, 'create', bad), {
        code: status.INVALID_ARGUMENT,
      })
    })

    it('makes a namespace with the first write, and refuses to delete it while it is used', async () => {
      await call(ImagesDefinition, 'create', { image: image('i') }, ns)
      await call(ContainersDefinition, 'create', { container: container('c') }, ns)
      await call(LeasesDefinition, 'create', { id: 'l' }, ns)
      await assert.rejects(call(NamespacesDefinition, 'delete', { name: 'ns' }), {
        code: status.FAILED_PRECONDITION,
        details: /found images, containers, want none .the namespace must be empty/,
      })
      await call(ImagesDefinition, 'delete', { name: 'i' }, ns)
      await call(ContainersDefinition, 'delete', { id: 'c' }, ns)
      await call(NamespacesDefinition, 'delete', { name: 'ns' })
      await call(LeasesDefinition, 'create', { id: 'l' }, ns)
    })
  })

  describe('Images', () => {
    const call: CoreFixture['client']['unary'] = (...args) => fixture.client.unary(...args)

    it('creates, finds, lists by filter, deletes', async () => {
      await call(ImagesDefinition, 'create', { image: image('a', { labels: { k: 'v' } }) }, ns)
      await call(ImagesDefinition, 'create', { image: image('b') }, ns)
      const names = async (filters: string[]): Promise<readonly string[]> => {
        const { images } = await call(ImagesDefinition, 'list', { filters }, ns)
        return images.map(({ name }) => name)
      }
      assert.deepEqual(await names([]), ['a', 'b'])
      assert.deepEqual(await names(['labels.k==v']), ['a'])
      assert.deepEqual(await names([`target.digest==${digest},name==b`]), ['b'])
      assert.deepEqual(await names(['name==a', 'name~=/^b$/']), ['a', 'b'])
      await assert.rejects(names(['name=']), { code: status.INVALID_ARGUMENT })
      await call(ImagesDefinition, 'delete', { name: 'a' }, ns)
      assert.deepEqual(await names([]), ['b'])
    })

    it('keeps the times a client gives, and does not show another namespace', async () => {
      const sourceDateEpoch = { seconds: 12n, nanos: 34 }
      const created = await call(
        ImagesDefinition,
        'create',
        { image: image('a'), sourceDateEpoch },
        ns,
      )
      assert.deepEqual(created.image?.createdAt, sourceDateEpoch)
      await assert.rejects(call(ImagesDefinition, 'get', { name: 'a' }, inNamespace('other')), {
        code: status.NOT_FOUND,
      })
    })

    it('updates labels, annotations and target by mask', async () => {
      await call(ImagesDefinition, 'create', { image: image('a', { labels: { k: 'v' } }) }, ns)
      const target = { mediaType: 'n', digest: otherDigest, size: 4n, annotations: { x: 'y' } }
      const wanted = image('a', { labels: { l: 'w' }, target })
      const update = async (updateMask: string[]): Promise<Image | undefined> => {
        const response = await call(ImagesDefinition, 'update', { image: wanted, updateMask }, ns)
        return response.image
      }
      const labelled = await update(['labels.l'])
      assert.deepEqual(labelled?.labels, { k: 'v', l: 'w' })
      assert.equal(labelled.target?.digest, digest)
      assert.deepEqual((await update(['annotations.x']))?.target?.annotations, { x: 'y' })
      assert.equal((await update(['target']))?.target?.digest, otherDigest)
      assert.deepEqual((await update([]))?.labels, { l: 'w' })
      await assert.rejects(update(['name']), { code: status.INVALID_ARGUMENT })
    })

    it('answers the codes of the table', async () => {
      await call(ImagesDefinition, 'create', { image: image('a') }, ns)
      const cases = [
        [() => call(ImagesDefinition, 'create', { image: image('a') }, ns), status.ALREADY_EXISTS],
        [() => call(ImagesDefinition, 'create', { image: image('') }, ns), status.INVALID_ARGUMENT],
        [() => call(ImagesDefinition, 'create', {}, ns), status.INVALID_ARGUMENT],
        [() => call(ImagesDefinition, 'get', { name: 'x' }, ns), status.NOT_FOUND],
        [() => call(ImagesDefinition, 'update', { image: image('x') }, ns), status.NOT_FOUND],
        [() => call(ImagesDefinition, 'delete', { name: 'x' }, ns), status.NOT_FOUND],
        [
          () =>
            call(
              ImagesDefinition,
              'delete',
              {
                name: 'a',
                target: { mediaType: '', digest: otherDigest, size: 1n, annotations: {} },
              },
              ns,
            ),
          status.NOT_FOUND,
        ],
        [
          () =>
            call(ImagesDefinition, 'create', { image: image('b') }, inNamespace('ns', 'no lease')),
          status.NOT_FOUND,
        ],
        [
          () =>
            call(
              ImagesDefinition,
              'create',
              { image: image('b', { target: { digest: 'x', size: 1n } }) },
              ns,
            ),
          status.INVALID_ARGUMENT,
        ],
        [
          () =>
            call(
              ImagesDefinition,
              'create',
              { image: image('b', { labels: { k: 'x'.repeat(5000) } }) },
              ns,
            ),
          status.INVALID_ARGUMENT,
        ],
      ] as const
      for (const [act, code] of cases) await assert.rejects(act(), { code })
    })
  })

  describe('Containers', () => {
    const call: CoreFixture['client']['unary'] = (...args) => fixture.client.unary(...args)

    it('gives back what it was given', async () => {
      const extensions = { e: { typeUrl: 'u', value: Buffer.from([1, 2]) } }
      const given = container('c', { extensions, snapshotter: 'overlayfs', snapshotKey: 'k' })
      await call(ContainersDefinition, 'create', { container: given }, ns)
      const found = await call(ContainersDefinition, 'get', { id: 'c' }, ns)
      assert.deepEqual(found.container?.extensions, extensions)
      assert.deepEqual(found.container.spec, { typeUrl: 't', value: Buffer.from('{}') })
      assert.equal(found.container.snapshotKey, 'k')
      assert.deepEqual(found.container.createdAt, found.container.updatedAt)
    })

    it('streams one container per message, filtered', async () => {
      for (const id of ['a', 'b', 'c']) {
        const labels = id === 'b' ? { only: 'me' } : {}
        await call(ContainersDefinition, 'create', { container: container(id, { labels }) }, ns)
      }
      const list = async (filters: string[]): Promise<readonly (string | undefined)[]> => {
        const stream = fixture.client.serverStream(
          ContainersDefinition,
          'listStream',
          { filters },
          ns,
        )
        const messages = await fixture.client.collect(stream)
        return messages.map((message) => message.container?.id)
      }
      assert.deepEqual(await list([]), ['a', 'b', 'c'])
      assert.deepEqual(await list(['labels.only==me']), ['b'])
      assert.deepEqual(await list(['runtime.name~=runc,id!=a']), ['b', 'c'])
    })

    it('updates by mask, and keeps snapshotter and runtime', async () => {
      const snapshot = { snapshotter: 'overlayfs', snapshotKey: 'k' }
      await call(ContainersDefinition, 'create', { container: container('c', snapshot) }, ns)
      const update = async (
        wanted: Container,
        updateMask: string[],
      ): Promise<Container | undefined> => {
        const request = { container: wanted, updateMask }
        return (await call(ContainersDefinition, 'update', request, ns)).container
      }
      const labels = { a: '1' }
      const extensions = { e: { typeUrl: 'u', value: Buffer.from([9]) } }
      const wanted = container('c', {
        ...snapshot,
        labels,
        extensions,
        image: 'j',
        snapshotKey: 'l',
      })
      assert.deepEqual((await update(wanted, ['labels.a']))?.labels, labels)
      assert.deepEqual((await update(wanted, ['extensions.e']))?.extensions, extensions)
      assert.equal((await update(wanted, ['image']))?.image, 'j')
      assert.equal((await update(wanted, ['snapshotkey']))?.snapshotKey, 'l')
      const invalid = { code: status.INVALID_ARGUMENT }
      await assert.rejects(update(wanted, ['runtime']), invalid)
      await assert.rejects(update(container('c', { snapshotter: 'native' }), []), invalid)
      const otherRuntime = { ...snapshot, runtime: { name: 'other', options: undefined } }
      await assert.rejects(update(container('c', otherRuntime), []), invalid)
    })

    it('answers the codes of the table', async () => {
      await call(ContainersDefinition, 'create', { container: container('c') }, ns)
      const invalid = [
        container('c d'),
        container(''),
        container('d', { runtime: undefined }),
        container('d', { spec: undefined }),
        container('d', { snapshotKey: 'k' }),
      ]
      for (const one of invalid) {
        await assert.rejects(call(ContainersDefinition, 'create', { container: one }, ns), {
          code: status.INVALID_ARGUMENT,
        })
      }
      const again = call(ContainersDefinition, 'create', { container: container('c') }, ns)
      await assert.rejects(again, { code: status.ALREADY_EXISTS })
      for (const method of ['get', 'delete'] as const) {
        await assert.rejects(call(ContainersDefinition, method, { id: 'x' }, ns), {
          code: status.NOT_FOUND,
        })
      }
      const missing = call(ContainersDefinition, 'update', { container: container('x') }, ns)
      await assert.rejects(missing, { code: status.NOT_FOUND })
    })
  })

  describe('Leases', () => {
    const call: CoreFixture['client']['unary'] = (...args) => fixture.client.unary(...args)

    it('names a lease that has no name', async () => {
      const { lease } = await call(LeasesDefinition, 'create', { labels: { a: 'b' } }, ns)
      assert.match(lease?.id ?? '', /^\d+-[\w-]{8}$/)
      const { leases } = await call(LeasesDefinition, 'list', { filters: ['labels.a==b'] }, ns)
      assert.deepEqual(leases, [lease])
    })

    it('adds, lists and takes away resources', async () => {
      await call(LeasesDefinition, 'create', { id: 'l' }, ns)
      const resources = [
        { type: 'content', id: digest },
        { type: 'images', id: 'docker.io/library/x:1' },
        { type: 'ingests', id: 'ref/1' },
        { type: 'snapshots/overlayfs', id: 'a key' },
      ]
      for (const resource of resources) {
        await call(LeasesDefinition, 'addResource', { id: 'l', resource }, ns)
      }
      const list = async (): Promise<unknown> =>
        (await call(LeasesDefinition, 'listResources', { id: 'l' }, ns)).resources
      assert.deepEqual(await list(), resources)
      for (const resource of resources.slice(1)) {
        await call(LeasesDefinition, 'deleteResource', { id: 'l', resource }, ns)
      }
      assert.deepEqual(await list(), resources.slice(0, 1))
    })

    const malformed = [
      [{ type: 'content', id: 'sha256:x' }, status.INVALID_ARGUMENT],
      [{ type: 'content/x', id: digest }, status.INVALID_ARGUMENT],
      [{ type: 'snapshots', id: 'k' }, status.INVALID_ARGUMENT],
      [{ type: 'snapshots/', id: 'k' }, status.INVALID_ARGUMENT],
      [{ type: 'snapshots/a/b', id: 'k' }, status.INVALID_ARGUMENT],
      [{ type: 'moon', id: 'k' }, status.UNIMPLEMENTED],
    ] as const
    for (const [resource, code] of malformed) {
      it(`refuses the resource ${resource.type} ${resource.id.slice(0, 10)}`, async () => {
        await call(LeasesDefinition, 'create', { id: 'l' }, ns)
        const request = { id: 'l', resource }
        await assert.rejects(call(LeasesDefinition, 'addResource', request, ns), { code })
      })
    }

    it('answers the codes of the table', async () => {
      await call(LeasesDefinition, 'create', { id: 'l' }, ns)
      await assert.rejects(call(LeasesDefinition, 'create', { id: 'l' }, ns), {
        code: status.ALREADY_EXISTS,
      })
      const resource = { type: 'content', id: digest }
      for (const method of ['delete', 'addResource', 'deleteResource', 'listResources'] as const) {
        const request = { id: 'none', resource }
        await assert.rejects(call(LeasesDefinition, method, request as never, ns), {
          code: status.NOT_FOUND,
        })
      }
    })
  })

  describe('Introspection and health', () => {
    const call: CoreFixture['client']['unary'] = (...args) => fixture.client.unary(...args)

    it('says who it is, without a namespace', async () => {
      const server = await call(IntrospectionDefinition, 'server', {})
      assert.match(server.uuid, /^[0-9a-f-]{36}$/)
      assert.equal(server.pid, BigInt(process.pid))
      assert.ok(server.pidns > 0n)
    })

    it('finds the snapshotter as dockerd and buildkit ask for it', async () => {
      const filters = ['type==io.containerd.snapshotter.v1, id==overlayfs']
      const { plugins } = await call(IntrospectionDefinition, 'plugins', { filters })
      assert.deepEqual(
        plugins.map(({ id, platforms }) => [id, platforms[0]?.os]),
        [['overlayfs', 'linux']],
      )
    })

    it('names transfer and streaming, without which nerdctl and ctr pull the old way', async () => {
      const filters = ['type~=transfer', 'type~=streaming', 'id==transfer', 'id==streaming']
      const { plugins } = await call(IntrospectionDefinition, 'plugins', { filters })
      assert.deepEqual(plugins.map(({ type, id }) => `${type} ${id}`).toSorted(), [
        'io.containerd.grpc.v1 streaming',
        'io.containerd.grpc.v1 transfer',
        'io.containerd.streaming.v1 manager',
        'io.containerd.transfer.v1 local',
      ])
    })

    it('has every plugin once', async () => {
      const { plugins } = await call(IntrospectionDefinition, 'plugins', {})
      const names = plugins.map(({ type, id }) => `${type}.${id}`)
      assert.equal(new Set(names).size, names.length)
    })

    it('serves', async () => {
      assert.equal((await call(HealthDefinition, 'check', {})).status, 1)
      assert.equal((await call(HealthDefinition, 'check', { service: 'known' })).status, 1)
      await assert.rejects(call(HealthDefinition, 'check', { service: 'moon' }), {
        code: status.NOT_FOUND,
      })
    })
  })
})
