/** A registry that serves one OCI layout over HTTP and can be told to misbehave. */
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { join } from 'node:path'

/** What happens to the body of a blob or manifest on its way out. */
export type Spoil = (digest: string, body: Buffer) => Buffer

export interface ScriptedRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  /** Replaces how bodies are spoiled from now on. */
  spoil: Spoil
  /** The paths that were asked for, in order. */
  readonly requests: readonly string[]
}

export async function startScriptedRegistry(layoutDir: string): Promise<ScriptedRegistry> {
  const index = JSON.parse(readFileSync(join(layoutDir, 'index.json'), 'utf8')) as {
    manifests: { digest: string; mediaType: string }[]
  }
  const [top] = index.manifests
  if (top === undefined) throw new Error(`${layoutDir} has no manifest`)
  const requests: string[] = []
  const behaviour: { spoil: Spoil } = { spoil: (_, body) => body }
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '/'
    requests.push(path)
    if (path === '/v2/') return void response.end('{}')
    const [, kind, wanted = ''] = /^\/v2\/[^?]*\/(manifests|blobs)\/([^?]+)/.exec(path) ?? []
    const digest = kind === 'manifests' && !wanted.startsWith('sha256:') ? top.digest : wanted
    const file = join(layoutDir, 'blobs', 'sha256', digest.slice('sha256:'.length))
    if (kind === undefined || !existsSync(file)) {
      response.statusCode = 404
      return void response.end(
        '{"errors":[{"code":"NAME_UNKNOWN","message":"no such thing here"}]}',
      )
    }
    const body = behaviour.spoil(digest, readFileSync(file))
    response.setHeader(
      'Content-Type',
      kind === 'manifests' ? top.mediaType : 'application/octet-stream',
    )
    response.setHeader('Docker-Content-Digest', digest)
    response.setHeader('Content-Length', body.length)
    response.end(request.method === 'HEAD' ? undefined : body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return {
    host: `127.0.0.1:${String(address.port)}`,
    get spoil() {
      return behaviour.spoil
    },
    set spoil(spoil) {
      behaviour.spoil = spoil
    },
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
