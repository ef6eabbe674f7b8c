import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ContentStore } from '../../content/content-store.ts'
import { parseDigest } from '../../content/digest.ts'
import { EventHub } from '../../events/event-hub.ts'
import { MetadataStore } from '../../metadata/store.ts'
import { OCI_CONFIG, OCI_GZIP_LAYER, OCI_MANIFEST } from '../documents.ts'
import { pullImage } from '../image-puller.ts'
import { parseReference } from '../reference.ts'
import { RegistryClient, type RegistryClientOptions } from '../registry-client.ts'

const sha256 = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

const LAYER = Buffer.alloc(3_000_000, 'a layer ')
const CONFIG = Buffer.from('{"rootfs":{"diff_ids":[]}}')
const MANIFEST = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: sha256(CONFIG), size: CONFIG.byteLength },
    layers: [{ mediaType: OCI_GZIP_LAYER, digest: sha256(LAYER), size: LAYER.byteLength }],
  }),
)
const LAYER_PATH = `/v2/team/app/blobs/${sha256(LAYER)}`

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A registry that does as it is told; every path has an answer, and `script` comes before it. */
class ScriptedRegistry {
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers'] }[] = []
  readonly #server: Server
  /** Consulted first; a handler is used up by its call. */
  readonly script = new Map<string, Handler[]>()

  constructor() {
    this.#server = createServer((request, response) => {
      const path = request.url ?? ''
      this.requests.push({ path, headers: request.headers })
      const scripted = this.script.get(path)?.shift()
      if (scripted !== undefined) scripted(request, response)
      else answer(path, request, response)
    })
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get host(): string {
    return `127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

function answer(path: string, request: IncomingMessage, response: ServerResponse): void {
  const blob = [LAYER, CONFIG].find((bytes) => path === `/v2/team/app/blobs/${sha256(bytes)}`)
  if (path === '/v2/team/app/manifests/1') {
    response.writeHead(200, { 'content-type': OCI_MANIFEST }).end(MANIFEST)
  } else if (blob !== undefined) {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const range = `bytes ${String(start)}-${String(blob.byteLength - 1)}/${String(blob.byteLength)}`
    response.writeHead(start === 0 ? 200 : 206, start === 0 ? {} : { 'content-range': range })
    response.end(blob.subarray(start))
  } else {
    response.writeHead(404).end('{"errors":[{"code":"X","message":"not known here"}]}')
  }
}

describe('pullImage', () => {
  let directory: string
  let store: MetadataStore
  let content: ContentStore
  let registry: ScriptedRegistry
  let other: ScriptedRegistry

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-pull-'))
    store = await MetadataStore.open(directory)
    content = await ContentStore.open({ rootDir: directory, store, events: new EventHub() })
    registry = new ScriptedRegistry()
    other = new ScriptedRegistry()
    await registry.listen()
    await other.listen()
  })

  afterEach(async () => {
    await registry.close()
    await other.close()
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  async function pull(options: Partial<RegistryClientOptions> = {}, reference = 'team/app:1') {
    using client = new RegistryClient({
      reference: parseReference(`${registry.host}/${reference}`),
      noProgressMs: 300,
      firstPauseMs: 1,
      ...options,
    })
    return await pullImage({
      client,
      content,
      unpacker: undefined,
      scope: { namespace: 'ns', leaseId: undefined },
      platform: { os: 'linux', architecture: 'amd64', variant: '' },
      signal: AbortSignal.timeout(20_000),
    })
  }

  async function layerBytes(): Promise<Buffer> {
    return await content.readAll('ns', parseDigest(sha256(LAYER)), LAYER.byteLength)
  }

  it('brings manifest, config and layers into the content store, labelled for the collector', async () => {
    const { target } = await pull()
    assert.equal(target.digest, sha256(MANIFEST))
    assert.deepEqual(await layerBytes(), LAYER)
    assert.deepEqual(content.info('ns', target.digest).labels, {
      'containerd.io/gc.ref.content.config': sha256(CONFIG),
      'containerd.io/gc.ref.content.l.0': sha256(LAYER),
      [`containerd.io/distribution.source.${registry.host}`]: 'team/app',
    })
  })

  it('fetches nothing but the manifest the second time', async () => {
    await pull()
    registry.requests.splice(0)
    await pull()
    assert.deepEqual(
      registry.requests.map(({ path }) => path),
      ['/v2/team/app/manifests/1'],
    )
  })

  it('goes on where a connection broke off', async () => {
    registry.script.set(LAYER_PATH, [
      (_request, response) => {
        response.writeHead(200, { 'content-length': LAYER.byteLength })
        response.write(LAYER.subarray(0, 1_500_000), () => response.destroy())
      },
    ])
    await pull()
    assert.deepEqual(await layerBytes(), LAYER)
    const ranges = registry.requests
      .filter(({ path }) => path === LAYER_PATH)
      .map(({ headers }) => headers.range !== undefined)
    assert.deepEqual(ranges, [false, true])
  })

  it('begins anew when the registry ignores the range', async () => {
    const partly: Handler = (_request, response) => {
      response.writeHead(200, { 'content-length': LAYER.byteLength })
      response.write(LAYER.subarray(0, 1_500_000), () => response.destroy())
    }
    const whole: Handler = (_request, response) => {
      response.writeHead(200).end(LAYER)
    }
    registry.script.set(LAYER_PATH, [partly, whole])
    await pull()
    assert.deepEqual(await layerBytes(), LAYER)
  })

  it('gives up a connection on which nothing arrives, and tries again', async () => {
    registry.script.set(LAYER_PATH, [
      (_request, response) => {
        response.writeHead(200, { 'content-length': LAYER.byteLength })
        response.write(LAYER.subarray(0, 10))
      },
    ])
    await pull()
    assert.deepEqual(await layerBytes(), LAYER)
  })

  it('tries again when the registry is overloaded', async () => {
    const busy: Handler = (_request, response) => {
      response.writeHead(503).end()
    }
    registry.script.set('/v2/team/app/manifests/1', [busy, busy])
    await pull()
    assert.deepEqual(await layerBytes(), LAYER)
  })

  it('refuses other bytes than the digest says, naming both, and keeps none of them', async () => {
    const wrong = Buffer.alloc(LAYER.byteLength, 'evil')
    registry.script.set(LAYER_PATH, [
      (_request, response) => {
        response.writeHead(200).end(wrong)
      },
    ])
    await assert.rejects(pull(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'dataLoss')
      assert.ok(error.message.includes(sha256(wrong)), error.message)
      assert.ok(error.message.includes(sha256(LAYER)), error.message)
      return true
    })
    assert.deepEqual(await content.listStatuses('ns'), [])
    await pull()
    assert.deepEqual(await layerBytes(), LAYER)
  })

  it('stops at the size of the descriptor, whatever the registry sends', async () => {
    registry.script.set(LAYER_PATH, [
      (_request, response) => {
        response.writeHead(200).end(Buffer.concat([LAYER, LAYER]))
      },
    ])
    await assert.rejects(pull(), { code: 'dataLoss' })
    assert.deepEqual(await content.listStatuses('ns'), [])
  })

  it('names registry, repository and tag of an image that is not there', async () => {
    await assert.rejects(pull({}, 'team/none:2'), {
      code: 'notFound',
      message: `fetch manifest 2 of ${registry.host}/team/none:2: found status 404 (not known here) from registry ${registry.host} (is there a repository team/none with this tag or digest?)`,
    })
  })

  it('says which registry is down', async () => {
    const { host } = other
    await other.close()
    const reference = parseReference(`${host}/team/app:1`)
    await assert.rejects(pull({ reference }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'unavailable')
      assert.ok(error.message.includes(host), error.message)
      return true
    })
    await other.listen()
  })

  it('refuses a manifest other than the digest asked for', async () => {
    const wanted = sha256(Buffer.from('something else'))
    registry.script.set(`/v2/team/app/manifests/${wanted}`, [
      (_request, response) => {
        response.writeHead(200, { 'content-type': OCI_MANIFEST }).end(MANIFEST)
      },
    ])
    await assert.rejects(pull({}, `team/app@${wanted}`), { code: 'dataLoss' })
  })

  describe('security.md S-83', () => {
    const credentials = () => Promise.resolve({ username: 'u', secret: 's' })
    const redirect =
      (location: string): Handler =>
      (_request, response) => {
        response.writeHead(307, { location }).end()
      }
    const askFor =
      (challenge: string): Handler =>
      (_request, response) => {
        response.writeHead(401, { 'www-authenticate': challenge }).end()
      }

    it('logs in at the registry when asked to', async () => {
      registry.script.set('/v2/team/app/manifests/1', [askFor('Basic realm="r"')])
      await pull({ credentials })
      assert.equal(
        registry.requests[1]?.headers.authorization,
        `Basic ${Buffer.from('u:s').toString('base64')}`,
      )
    })

    it('fetches an anonymous token', async () => {
      const realm = `http://${registry.host}/token`
      registry.script.set('/v2/team/app/manifests/1', [
        askFor(`Bearer realm="${realm}",service="svc"`),
      ])
      registry.script.set('/token?service=svc&scope=repository%3Ateam%2Fapp%3Apull', [
        (_request, response) => {
          response.writeHead(200).end('{"token":"t0k"}')
        },
      ])
      await pull()
      assert.equal(registry.requests[2]?.headers.authorization, 'Bearer t0k')
    })

    it('does not follow a registry to another server on this machine', async () => {
      registry.script.set(LAYER_PATH, [redirect(`http://${other.host}${LAYER_PATH}`)])
      await assert.rejects(pull(), { code: 'permissionDenied' })
      assert.deepEqual(other.requests, [])
    })

    it('does not take a token server on this machine from another origin', async () => {
      registry.script.set('/v2/team/app/manifests/1', [
        askFor(`Bearer realm="http://${other.host}/token"`),
      ])
      await assert.rejects(pull({ credentials }), { code: 'permissionDenied' })
      assert.deepEqual(other.requests, [])
    })

    it('follows a redirect inside the registry, with the login', async () => {
      registry.script.set('/v2/team/app/manifests/1', [askFor('Basic realm="r"')])
      registry.script.set(LAYER_PATH, [redirect(`${LAYER_PATH}?moved`)])
      registry.script.set(`${LAYER_PATH}?moved`, [
        (_request, response) => {
          response.writeHead(200).end(LAYER)
        },
      ])
      await pull({ credentials })
      const moved = registry.requests.find(({ path }) => path.endsWith('?moved'))
      assert.match(moved?.headers.authorization ?? '', /^Basic /)
    })

    it('ends a circle of redirects', async () => {
      const round = Array.from({ length: 60 }, () => redirect(LAYER_PATH))
      registry.script.set(LAYER_PATH, round)
      await assert.rejects(pull(), { code: 'unavailable' })
    })
  })
})
