import { PlatformError } from '../../proto/errors/platform-error.ts'
import { parseObject } from './documents.ts'
import { readSmallBody } from './small-body.ts'
import type { Transport } from './transport.ts'

export interface Credentials {
  readonly username: string
  readonly secret: string
}

/** Where credentials come from; undefined: anonymous. */
export type CredentialSource = (host: string) => Promise<Credentials | undefined>

export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
}

const MAX_TOKEN_BYTES = 64 * 1024

/**
 * Parses a WWW-Authenticate header.
 *
 * @see RFC 9110 11.6.1
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = []
  const part =
    /\s*(?:([A-Za-z0-9._-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))|([A-Za-z][A-Za-z0-9-]*))\s*,?/y
  for (
    let match = part.exec(header);
    match !== null && match[0] !== '';
    match = part.exec(header)
  ) {
    const [, name, quoted, plain, scheme] = match
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: {} })
    else if (name !== undefined) {
      const current = challenges.at(-1)
      if (current !== undefined) {
        current.parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? ''
      }
    }
  }
  return challenges
}

export interface AuthorizerOptions {
  readonly transport: Transport
  readonly registryUrl: URL
  readonly credentials: CredentialSource
}

/** Answers the challenges of one registry. Secrets go to the registry or to the token server it names over HTTPS only. */
export class Authorizer {
  readonly #transport: Transport
  readonly #registryUrl: URL
  readonly #credentials: CredentialSource
  #header: string | undefined

  constructor({ transport, registryUrl, credentials }: AuthorizerOptions) {
    this.#transport = transport
    this.#registryUrl = registryUrl
    this.#credentials = credentials
  }

  /** What goes with every request, once the registry has asked for it. */
  headers(): Readonly<Record<string, string>> {
    return this.#header === undefined ? {} : { authorization: this.#header }
  }

  /**
   * Gets what a 401 asks for.
   *
   * @param scope asked for when the challenge names none: `repository:<name>:pull`
   * @throws permissionDenied when the challenge cannot be met
   */
  async answer(challengeHeader: string, scope: string, signal: AbortSignal): Promise<void> {
    const challenges = parseChallenges(challengeHeader)
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    if (bearer !== undefined) {
      this.#header = `Bearer ${await this.#fetchToken(bearer, scope, signal)}`
      return
    }
    const credentials = challenges.some(({ scheme }) => scheme === 'basic')
      ? await this.#credentialsFor(this.#registryUrl)
      : undefined
    if (credentials === undefined) {
      throw new PlatformError('permissionDenied', {
        action: 'log in to registry',
        subject: this.#registryUrl.host,
        found: `the challenge ${JSON.stringify(challengeHeader.slice(0, 200))} and no credentials for it`,
        wanted: 'a user name and a password',
      })
    }
    this.#header = basicHeader(credentials)
  }

  async #fetchToken(
    { parameters }: Challenge,
    scope: string,
    signal: AbortSignal,
  ): Promise<string> {
    const url = this.#parseRealm(parameters['realm'])
    if (parameters['service'] !== undefined) url.searchParams.set('service', parameters['service'])
    url.searchParams.set('scope', parameters['scope'] ?? scope)
    const credentials = await this.#credentialsFor(url)
    const response = await this.#transport.send(
      {
        method: 'GET',
        url,
        headers: { accept: 'application/json' },
        secretHeaders: credentials === undefined ? {} : { authorization: basicHeader(credentials) },
        signal,
      },
      this.#registryUrl.origin,
    )
    const body = await readSmallBody(response, MAX_TOKEN_BYTES)
    if (response.status !== 200) {
      throw new PlatformError('permissionDenied', {
        action: 'get a token for registry',
        subject: this.#registryUrl.host,
        found: `status ${String(response.status)} from ${url.host}`,
        hint: credentials === undefined ? 'no credentials were sent' : 'are the credentials right?',
      })
    }
    const document = parseObject(body, `the token from ${url.host}`)
    const token = document['token'] ?? document['access_token']
    if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token
    throw new PlatformError('permissionDenied', {
      action: 'get a token for registry',
      subject: this.#registryUrl.host,
      found: `an answer without a token from ${url.host}`,
    })
  }

  /** A token server of a HTTPS registry must speak HTTPS itself. */
  #parseRealm(realm: string | undefined): URL {
    const url = realm === undefined ? null : URL.parse(realm)
    const isAllowed =
      url?.protocol === 'https:' ||
      (url?.protocol === 'http:' && this.#registryUrl.protocol === 'http:')
    if (url !== null && isAllowed) return url
    throw new PlatformError('permissionDenied', {
      action: 'get a token for registry',
      subject: this.#registryUrl.host,
      found: `the token server ${JSON.stringify(realm?.slice(0, 200) ?? '')}`,
      wanted: 'a HTTPS URL',
    })
  }

  /** Over plain HTTP secrets only go to the registry the user named, if that is plain HTTP itself. */
  async #credentialsFor(url: URL): Promise<Credentials | undefined> {
    if (url.protocol !== 'https:' && url.origin !== this.#registryUrl.origin) return undefined
    return await this.#credentials(this.#registryUrl.host)
  }
}

function basicHeader({ username, secret }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${secret}`).toString('base64')}`
}
