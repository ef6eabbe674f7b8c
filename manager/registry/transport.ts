import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { errnoOf, PlatformError } from '../../proto/errors/platform-error.ts'
import { isLocalAddress, localRefused, lookupPublic } from './address-policy.ts'

const MAX_REDIRECTS = 10
const MAX_HEADER_BYTES = 64 * 1024

export interface TransportRequest {
  readonly method: 'GET' | 'HEAD'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Sent to the origin of `url` only, never after a redirect to another one. */
  readonly secretHeaders: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface TransportResponse {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** Must be read to the end or destroyed. */
  readonly body: IncomingMessage
  /** Where it came from, after redirects. */
  readonly url: URL
}

/** HTTP with kept connections and redirects by the rules of security.md S-83. */
export class Transport implements Disposable {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: 16 })
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: 16 })
  readonly #noProgressMs: number

  /** @param noProgressMs a connection on which nothing arrives for this long is given up */
  constructor(noProgressMs: number) {
    this.#noProgressMs = noProgressMs
  }

  /**
   * @param trustedOrigin the registry the user named: it may be on this machine
   * @throws unavailable when nobody answers, permissionDenied for a redirect that is refused
   */
  async send(request: TransportRequest, trustedOrigin: string): Promise<TransportResponse> {
    let { url } = request
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const isSameOrigin = url.origin === request.url.origin
      const headers = { ...request.headers, ...(isSameOrigin ? request.secretHeaders : {}) }
      const response = await this.#sendOnce(
        { ...request, url, headers },
        url.origin === trustedOrigin,
      )
      const location = redirectTarget(response)
      if (location === undefined) return { ...response, url }
      response.body.destroy()
      url = parseRedirect(location, url)
    }
    throw new PlatformError('unavailable', {
      action: 'follow redirects from',
      subject: request.url.host,
      found: `more than ${String(MAX_REDIRECTS)}`,
    })
  }

  [Symbol.dispose](): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  async #sendOnce(
    { method, url, headers, signal }: Omit<TransportRequest, 'secretHeaders'>,
    isTrusted: boolean,
  ): Promise<Omit<TransportResponse, 'url'>> {
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    // An address in the URL is never looked up.
    if (!isTrusted && isIP(hostname) !== 0 && isLocalAddress(hostname))
      throw localRefused(url.host, hostname)
    const options = {
      method,
      headers: { 'user-agent': 'berth', ...headers },
      signal,
      maxHeaderSize: MAX_HEADER_BYTES,
      ...(isTrusted ? {} : { lookup: lookupPublic }),
    }
    return await new Promise((resolve, reject) => {
      const outgoing =
        url.protocol === 'https:'
          ? httpsRequest(url, { ...options, agent: this.#https })
          : httpRequest(url, { ...options, agent: this.#http })
      outgoing.setTimeout(this.#noProgressMs, () => {
        outgoing.destroy(noProgress(url, this.#noProgressMs))
      })
      outgoing.once('error', (error) => {
        reject(connectionFailure(url, error))
      })
      outgoing.once('response', (body) => {
        resolve({ status: body.statusCode ?? 0, headers: body.headers, body })
      })
      outgoing.end()
    })
  }
}

function redirectTarget({ status, headers }: Omit<TransportResponse, 'url'>): string | undefined {
  return [301, 302, 303, 307, 308].includes(status) ? headers.location : undefined
}

function parseRedirect(location: string, from: URL): URL {
  const url = URL.parse(location, from.href)
  const refused =
    url === null
      ? 'no URL'
      : url.protocol !== 'https:' && url.protocol !== 'http:'
        ? url.protocol
        : from.protocol === 'https:' && url.protocol === 'http:'
          ? 'plain HTTP'
          : undefined
  if (url !== null && refused === undefined) return url
  throw new PlatformError('permissionDenied', {
    action: 'follow redirect from',
    subject: from.host,
    found: refused ?? 'no URL',
    wanted: from.protocol === 'https:' ? 'a HTTPS URL' : 'a HTTP or HTTPS URL',
  })
}

export function noProgress(url: URL, timeoutMs: number): PlatformError {
  return new PlatformError('deadlineExceeded', {
    action: 'read from registry',
    subject: url.host,
    found: `no byte for ${String(timeoutMs / 1000)} s`,
    hint: 'the registry or the network hangs; what was fetched is kept and the next pull goes on from there',
  })
}

/** What a broken connection means to the person who asked for an image. */
export function connectionFailure(url: URL, error: unknown): PlatformError {
  if (error instanceof PlatformError) return error
  if (error instanceof Error && error.name === 'AbortError') {
    return new PlatformError(
      'canceled',
      { action: 'read from registry', subject: url.host },
      { cause: error },
    )
  }
  const errno = errnoOf(error)
  const found = error instanceof Error ? error.message : String(error)
  return new PlatformError(
    'unavailable',
    {
      action: 'connect to registry',
      subject: url.host,
      found,
      errno,
      hint: `is the registry running, and is ${url.protocol}//${url.host} its address?`,
    },
    { cause: error },
  )
}
