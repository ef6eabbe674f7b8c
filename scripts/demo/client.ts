/** A gRPC client for the calls the demo makes, typed by the generated service definitions. */
import * as grpc from '@grpc/grpc-js'
import { PlatformError } from '../../proto/errors/platform-error.ts'

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array }
  decode(bytes: Uint8Array): T
  fromPartial(message: object): T
}

/** One method as ts-proto describes it. */
interface Method<Request, Response> {
  readonly name: string
  readonly requestType: Codec<Request>
  readonly responseType: Codec<Response>
}

interface Service {
  readonly fullName: string
}

/** No call of the demo takes longer on a machine that works. */
const DEADLINE_MS = 120_000

export class Client {
  readonly #client: grpc.Client
  readonly #metadata = new grpc.Metadata()

  /**
   * @param address path of the manager's socket
   * @param namespace that every call is made in
   */
  constructor(address: string, namespace: string) {
    this.#client = new grpc.Client(`unix:${address}`, grpc.credentials.createInsecure(), {
      'grpc.default_authority': 'localhost',
    })
    this.#metadata.set('containerd-namespace', namespace)
  }

  /** Everything made from now on is kept for the lease. */
  useLease(id: string): void {
    this.#metadata.set('containerd-lease', id)
  }

  /** @throws PlatformError with what the manager said */
  unary<Request, Response>(
    service: Service,
    method: Method<Request, Response>,
    request: Partial<Request>,
    timeoutMs = DEADLINE_MS,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(service, method),
        (value: Partial<Request>) => encode(method, value),
        (bytes) => method.responseType.decode(bytes),
        request,
        this.#metadata,
        { deadline: Date.now() + timeoutMs },
        (error, value) => {
          if (error !== null) reject(failure(method.name, error))
          else if (value !== undefined) resolve(value)
          else reject(new PlatformError('internal', `${method.name}: an answer without a message`))
        },
      )
    })
  }

  /** All answers to the requests, which are sent one after the other. */
  async stream<Request, Response>(
    service: Service,
    method: Method<Request, Response>,
    requests: readonly Partial<Request>[],
  ): Promise<readonly Response[]> {
    const call = this.#client.makeBidiStreamRequest(
      pathOf(service, method),
      (value: Partial<Request>) => encode(method, value),
      (bytes) => method.responseType.decode(bytes),
      this.#metadata,
      { deadline: Date.now() + DEADLINE_MS },
    )
    return await new Promise((resolve, reject) => {
      const answers: Response[] = []
      call.on('data', (answer: Response) => {
        answers.push(answer)
      })
      call.on('error', (error: grpc.ServiceError) => {
        reject(failure(method.name, error))
      })
      call.on('end', () => {
        resolve(answers)
      })
      for (const request of requests) call.write(request)
      call.end()
    })
  }

  /** All messages that answer one request. */
  async collect<Request, Response>(
    service: Service,
    method: Method<Request, Response>,
    request: Partial<Request>,
  ): Promise<readonly Response[]> {
    const call = this.#client.makeServerStreamRequest(
      pathOf(service, method),
      (value: Partial<Request>) => encode(method, value),
      (bytes) => method.responseType.decode(bytes),
      request,
      this.#metadata,
      { deadline: Date.now() + DEADLINE_MS },
    )
    return await new Promise((resolve, reject) => {
      const answers: Response[] = []
      call.on('data', (answer: Response) => {
        answers.push(answer)
      })
      call.on('error', (error: grpc.ServiceError) => {
        reject(failure(method.name, error))
      })
      call.on('end', () => {
        resolve(answers)
      })
    })
  }

  close(): void {
    this.#client.close()
  }
}

function pathOf(service: Service, method: { readonly name: string }): string {
  return `/${service.fullName}/${method.name}`
}

function encode<Request>(method: Method<Request, unknown>, value: Partial<Request>): Buffer {
  return Buffer.from(method.requestType.encode(method.requestType.fromPartial(value)).finish())
}

function failure(method: string, error: grpc.ServiceError): PlatformError {
  const code = error.code === grpc.status.NOT_FOUND ? 'notFound' : 'unknown'
  return new PlatformError(code, { action: method, found: error.details }, { cause: error })
}
