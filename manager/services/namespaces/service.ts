import type { Empty } from '../../../proto/generated/google/protobuf/empty.ts'
import type {
  CreateNamespaceRequest,
  CreateNamespaceResponse,
  DeleteNamespaceRequest,
  GetNamespaceRequest,
  GetNamespaceResponse,
  ListNamespacesResponse,
  Namespace as NamespaceMessage,
  NamespacesDefinition,
  UpdateNamespaceRequest,
  UpdateNamespaceResponse,
} from '../../../proto/generated/containerd/services/namespaces/v1/namespace.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import { required } from '../../grpc/required.ts'
import type { Namespace, NamespaceStore } from '../../metadata/namespace-store.ts'

export class NamespacesService implements ServiceHandlers<typeof NamespacesDefinition> {
  readonly #namespaces: NamespaceStore

  constructor(namespaces: NamespaceStore) {
    this.#namespaces = namespaces
  }

  get({ name }: GetNamespaceRequest): Promise<GetNamespaceResponse> {
    return Promise.resolve({ namespace: namespaceToProto(this.#namespaces.get(name)) })
  }

  list(): Promise<ListNamespacesResponse> {
    return Promise.resolve({ namespaces: this.#namespaces.list().map(namespaceToProto) })
  }

  async create({ namespace }: CreateNamespaceRequest): Promise<CreateNamespaceResponse> {
    const draft = required(namespace, 'namespace')
    return { namespace: namespaceToProto(await this.#namespaces.create(draft)) }
  }

  async update({
    namespace,
    updateMask,
  }: UpdateNamespaceRequest): Promise<UpdateNamespaceResponse> {
    const wanted = required(namespace, 'namespace')
    const updated = await this.#namespaces.update(wanted, updateMask ?? [])
    return { namespace: namespaceToProto(updated) }
  }

  async delete({ name }: DeleteNamespaceRequest): Promise<Empty> {
    await this.#namespaces.delete(name)
    return {}
  }
}

function namespaceToProto({ name, labels }: Namespace): NamespaceMessage {
  return { name, labels: { ...labels } }
}
