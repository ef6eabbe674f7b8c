import { HealthDefinition } from '../../proto/generated/grpc/health/v1/health.ts'
import { VersionDefinition } from '../../proto/generated/containerd/services/version/v1/version.ts'
import type { ManagerContext } from '../context.ts'
import { implementService, type ServiceImplementation } from '../grpc/implement-service.ts'
import { HealthService } from './health/service.ts'
import { VersionService } from './version/service.ts'

type ServiceFactory = (context: ManagerContext) => ServiceImplementation

/** Every service of the gRPC endpoint, one line each. */
const FACTORIES: readonly ServiceFactory[] = [
  () => implementService(VersionDefinition, new VersionService()),
]

export function createServices(context: ManagerContext): readonly ServiceImplementation[] {
  const services = FACTORIES.map((create) => create(context))
  const names = new Set(services.map(({ fullName }) => fullName))
  return [...services, implementService(HealthDefinition, new HealthService(() => names))]
}
