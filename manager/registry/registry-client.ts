import type { IncomingMessage } from 'node:http'
import { createHash } from 'node:crypto'
import { PlatformError, type ErrorCode } from '../../proto/errors/platform-error.ts'
import { digestFrom, parseDigest, algorithmOf, type Digest } from '../content/digest.ts'
import { isLoopbackHost } from './address-policy.ts'
import { Authorizer, type CredentialSource } from './auth.ts'
import { MANIFEST_MEDIA_TYPES } from './documents.ts'
import { formatReference, type ImageReference } from './reference.ts'
import { retry } from './retry.ts'
import { readSmallBody } from './small-body.ts'
import { Transport, type TransportResponse } from './transport.ts'

/** A registry must take manifests of 4 MiB (distribution-spec); this is our cap (security.md S-85). */
const MAX_MANIFEST_BYTES = 8 * 1024 * 1024
const MAX_ERROR_BYTES = 64 * 1024

export interface RegistryClientOptions {
  readonly reference: ImageReference
  /** `http` or `https`; undefined: HTTPS, but plain HTTP for a registry on a loopback address, as ctr does. */
  readonly scheme?: 'http' | 'https' | undefined
  /** Sent to the registry itself only. */
  readonly headers?: Readonly<Record<string, string>>
  readonly credentials?: CredentialSource
  /** A connection on which nothing arrives for this long is given up. */
  readonly noProgressMs?: number
  /** Before the second attempt; it doubles each time. */
  readonly firstPauseMs?: number
}

export interface FetchedManifest {
  readonly bytes: Buffer
  readonly mediaType: string
  readonly digest: Digest
}

/** One part of a blob, from `offsetBytes` to the end. */
export interface BlobPart {
  /** 0n when the registry did not honour the range. */
  readonly offsetBytes: bigint
  readonly url: URL
  readonly body: IncomingMessage
}

/**
 * Reads one repository of one registry.
 *
 * @see distribution-spec v1.1 "Pull"
 */
export class RegistryClient implements Disposable {
  readonly reference: ImageReference
  readonly noProgressMs: number
  readonly #firstPauseMs: number
  readonly #base: URL
  readonly #transport: Transport
  readonly #authorizer: Authorizer
  readonly #headers: Readonly<Record<string, string>>

  constructor(options: RegistryClientOptions) {
    this.reference = options.reference
    this.#base = registryUrl(options.reference, options.scheme)
    this.noProgressMs = options.noProgressMs ?? 30_000
    this.#firstPauseMs = options.firstPauseMs ?? 200
    this.#transport = new Transport(this.noProgressMs)
    this.#headers = options.headers ?? {}
    this.#authorizer = new Authorizer({
      transport: this.#transport,
      registryUrl: this.#base,
      credentials: options.credentials ?? (() => Promise.resolve(undefined)),
    })
  }

  /**
   * Fetches a manifest or index by tag or digest.
   *
   * @throws notFound naming registry, repository and tag; dataLoss when it is not what the digest says
   */
  async fetchManifest(wanted: string, signal: AbortSignal): Promise<FetchedManifest> {
    return await this.attempt(async () => {
      const response = await this.#get(
        `manifests/${wanted}`,
        { accept: MANIFEST_MEDIA_TYPES.join(', ') },
        signal,
      )
      if (response.status !== 200) throw await this.#refusal(response, `manifest ${wanted}`)
      const bytes = await readSmallBody(response, MAX_MANIFEST_BYTES)
      const mediaType = (response.headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''
      return { bytes, mediaType, digest: this.#verifyManifest(bytes, wanted) }
    }, signal)
  }

  /** Repeats what failed for a passing reason. */
  async attempt<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return await retry(work, { signal, firstPauseMs: this.#firstPauseMs })
  }

  /** Starts to read a blob at an offset. The caller reads the body and retries. @throws notFound, unavailable */
  async openBlob(digest: Digest, offsetBytes: bigint, signal: AbortSignal): Promise<BlobPart> {
    const range: Record<string, string> =
      offsetBytes === 0n ? {} : { range: `bytes=${offsetBytes.toString()}-` }
    // The bytes of the blob, not a compressed form of them: the digest is over the former.
    const response = await this.#get(
      `blobs/${digest}`,
      { 'accept-encoding': 'identity', ...range },
      signal,
    )
    const { url, body, status, headers } = response
    if (status === 200) return { offsetBytes: 0n, url, body }
    if (status === 206 && contentRangeStart(headers['content-range']) === offsetBytes) {
      return { offsetBytes, url, body }
    }
    // A range beyond the end, or another one than was asked for: begin anew.
    if (status === 206 || status === 416) {
      body.destroy()
      return await this.openBlob(digest, 0n, signal)
    }
    throw await this.#refusal(response, `blob ${digest}`)
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]()
  }

  async #get(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    const { repository } = this.reference
    const send = (): Promise<TransportResponse> =>
      this.#transport.send(
        {
          method: 'GET',
          url: new URL(`v2/${repository}/${path}`, this.#base),
          headers,
          secretHeaders: { ...this.#headers, ...this.#authorizer.headers() },
          signal,
        },
        this.#base.origin,
      )
    const response = await send()
    // Only the registry itself may ask for credentials: after a redirect somebody else is speaking.
    if (response.status !== 401 || response.url.origin !== this.#base.origin) return response
    response.body.destroy()
    const challenge = response.headers['www-authenticate'] ?? ''
    await this.#authorizer.answer(challenge, `repository:${repository}:pull`, signal)
    return await send()
  }

  #verifyManifest(bytes: Buffer, wanted: string): Digest {
    const expected = wanted.includes(':') ? parseDigest(wanted) : undefined
    const algorithm = expected === undefined ? 'sha256' : algorithmOf(expected)
    const found = digestFrom(algorithm, createHash(algorithm).update(bytes).digest('hex'))
    if (expected !== undefined && found !== expected) {
      throw new PlatformError('dataLoss', {
        action: 'fetch manifest of',
        subject: formatReference(this.reference),
        found,
        wanted: expected,
        hint: 'the registry sent other bytes than were asked for',
      })
    }
    return found
  }

  async #refusal(response: TransportResponse, what: string): Promise<PlatformError> {
    const { status } = response
    const detail = errorDetail(await readSmallBody(response, MAX_ERROR_BYTES))
    const { registry, repository } = this.reference
    const facts = {
      action: `fetch ${what} of`,
      subject: formatReference(this.reference),
      found: `status ${String(status)}${detail === '' ? '' : ` (${detail})`} from registry ${registry}`,
    }
    const code = statusCode(status)
    const hint =
      code === 'notFound'
        ? `is there a repository ${repository} with this tag or digest?`
        : undefined
    return new PlatformError(code, { ...facts, hint })
  }
}

/** docker.io's API answers elsewhere. */
function registryUrl({ registry }: ImageReference, scheme: 'http' | 'https' | undefined): URL {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry
  const { hostname } = new URL(`https://${host}/`)
  return new URL(`${scheme ?? (isLoopbackHost(hostname) ? 'http' : 'https')}://${host}/`)
}

function contentRangeStart(header: string | undefined): bigint | undefined {
  const start = /^bytes ([0-9]+)-/.exec(header ?? '')?.[1]
  return start === undefined ? undefined : BigInt(start)
}

function statusCode(status: number): ErrorCode {
  if (status === 404) return 'notFound'
  if (status === 401 || status === 403) return 'permissionDenied'
  if (status === 429 || status >= 500) return 'unavailable'
  return 'unknown'
}

/** `manifest unknown`, from the errors a registry explains itself with. */
function errorDetail(body: Buffer): string {
  try {
    const document = JSON.parse(body.toString()) as {
      readonly errors?: readonly { readonly message?: unknown }[]
    }
    const message = document.errors?.[0]?.message
    return typeof message === 'string' ? message.slice(0, 200) : ''
  } catch {
    // Not every proxy answers in JSON; the status says enough.
    return ''
  }
}
