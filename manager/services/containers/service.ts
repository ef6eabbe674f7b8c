import type { Empty } from '../../../proto/generated/google/protobuf/empty.ts'
import type {
  ContainersDefinition,
  CreateContainerRequest,
  CreateContainerResponse,
  DeleteContainerRequest,
  GetContainerRequest,
  GetContainerResponse,
  ListContainerMessage,
  ListContainersRequest,
  ListContainersResponse,
  UpdateContainerRequest,
  UpdateContainerResponse,
} from '../../../proto/generated/containerd/services/containers/v1/containers.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import type { Container, ContainerStore } from '../../metadata/container-store.ts'
import { containerField, containerFromProto, containerToProto } from './convert.ts'

export class ContainersService implements ServiceHandlers<typeof ContainersDefinition> {
  readonly #containers: ContainerStore

  constructor(containers: ContainerStore) {
    this.#containers = containers
  }

  get({ id }: GetContainerRequest, { namespace }: CallContext): Promise<GetContainerResponse> {
    return Promise.resolve({ container: containerToProto(this.#containers.get(namespace, id)) })
  }

  list(
    { filters }: ListContainersRequest,
    { namespace }: CallContext,
  ): Promise<ListContainersResponse> {
    const selected = this.#select(namespace, filters)
    return Promise.resolve({ containers: selected.map(containerToProto) })
  }

  async *listStream(
    { filters }: ListContainersRequest,
    { namespace }: CallContext,
  ): AsyncGenerator<ListContainerMessage> {
    for (const container of this.#select(namespace, filters)) {
      yield await Promise.resolve({ container: containerToProto(container) })
    }
  }

  async create(
    { container }: CreateContainerRequest,
    context: CallContext,
  ): Promise<CreateContainerResponse> {
    const created = await this.#containers.create(context, containerFromProto(container))
    return { container: containerToProto(created) }
  }

  async update(
    { container, updateMask }: UpdateContainerRequest,
    context: CallContext,
  ): Promise<UpdateContainerResponse> {
    const wanted = containerFromProto(container)
    const updated = await this.#containers.update(context, wanted, updateMask ?? [])
    return { container: containerToProto(updated) }
  }

  async delete({ id }: DeleteContainerRequest, context: CallContext): Promise<Empty> {
    await this.#containers.delete(context, id)
    return {}
  }

  #select(namespace: string, filters: readonly string[]): readonly Container[] {
    const accepts = parseFilters(filters)
    return this.#containers.list(namespace).filter((one) => accepts(containerField(one)))
  }
}
