import {
  AuthRequest,
  AuthResponse,
  AuthType,
} from '../../../proto/generated/containerd/types/transfer/registry.ts'
import type { CredentialSource } from '../../registry/auth.ts'
import type { ClientStream } from '../streaming/client-stream.ts'

const AUTH_REQUEST = 'containerd.types.transfer.AuthRequest'

/** Asks the client, which knows the user's logins, over the stream it opened for this. */
export function streamCredentials(stream: ClientStream, reference: string): CredentialSource {
  return async (host) => {
    const request = AuthRequest.encode({ host, reference, wwwauthenticate: [] })
    stream.send({ typeUrl: AUTH_REQUEST, value: Buffer.from(request.finish()) })
    const answer = await stream.receive()
    if (answer === undefined) return undefined
    const { authType, username, secret } = AuthResponse.decode(answer.value)
    return authType === AuthType.CREDENTIALS ? { username, secret } : undefined
  }
}
