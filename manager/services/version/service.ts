import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import {
  type VersionDefinition,
  type VersionResponse,
} from '../../../proto/generated/containerd/services/version/v1/version.ts'
import { REVISION, VERSION } from '../../version.ts'

export class VersionService implements ServiceHandlers<typeof VersionDefinition> {
  version(): Promise<VersionResponse> {
    return Promise.resolve({ version: VERSION, revision: REVISION })
  }
}
