import { once } from 'node:events'
import { PlatformError } from '../../../proto/errors/platform-error.ts'
import {
  HealthCheckResponse_ServingStatus,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthDefinition,
} from '../../../proto/generated/grpc/health/v1/health.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'

/**
 * grpc.health.v1: the manager serves from its first answer to its last.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export class HealthService implements ServiceHandlers<typeof HealthDefinition> {
  readonly #serviceNames: () => ReadonlySet<string>

  /** @param serviceNames full names of the services that are asked about; the empty name is the server as a whole */
  constructor(serviceNames: () => ReadonlySet<string>) {
    this.#serviceNames = serviceNames
  }

  check({ service }: HealthCheckRequest): Promise<HealthCheckResponse> {
    if (!this.#isKnown(service)) {
      const failure = new PlatformError('notFound', {
        action: 'check the health of service',
        subject: JSON.stringify(service),
      })
      return Promise.reject(failure)
    }
    return Promise.resolve({ status: HealthCheckResponse_ServingStatus.SERVING })
  }

  /** Nothing ever changes, so after the first answer the stream only waits for the client to leave. */
  async *watch(
    { service }: HealthCheckRequest,
    { signal }: CallContext,
  ): AsyncGenerator<HealthCheckResponse> {
    const { SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus
    yield { status: this.#isKnown(service) ? SERVING : SERVICE_UNKNOWN }
    if (!signal.aborted) await once(signal, 'abort')
  }

  #isKnown(service: string): boolean {
    return service === '' || this.#serviceNames().has(service)
  }
}
