import { PlatformError } from '../../../proto/errors/platform-error.ts'
import type { Empty } from '../../../proto/generated/google/protobuf/empty.ts'
import type {
  AddResourceRequest,
  CreateRequest,
  CreateResponse,
  DeleteRequest,
  DeleteResourceRequest,
  Lease as LeaseMessage,
  LeasesDefinition,
  ListRequest,
  ListResourcesRequest,
  ListResourcesResponse,
  ListResponse,
} from '../../../proto/generated/containerd/services/leases/v1/leases.ts'
import { lookupLabel, presentString, type FieldLookup } from '../../filters/adaptor.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import { required } from '../../grpc/required.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import {
  createLease,
  deleteLease,
  leaseResource,
  listLeaseResources,
  listLeases,
  parseLeaseResource,
  releaseResource,
  requireLease,
  type Lease,
} from '../../metadata/lease-store.ts'
import type { MetadataStore } from '../../metadata/store.ts'
import { timestampToProto } from '../../metadata/timestamp.ts'

export interface LeasesServiceOptions {
  readonly store: MetadataStore
  /** Runs a whole collection. */
  readonly collectNow: () => Promise<unknown>
}

export class LeasesService implements ServiceHandlers<typeof LeasesDefinition> {
  readonly #store: MetadataStore
  readonly #collectNow: () => Promise<unknown>

  constructor({ store, collectNow }: LeasesServiceOptions) {
    this.#store = store
    this.#collectNow = collectNow
  }

  async create({ id, labels }: CreateRequest, { namespace }: CallContext): Promise<CreateResponse> {
    const named = id === '' ? { labels } : { id, labels }
    const lease = await this.#store.write((tx) => createLease(tx, namespace, named))
    return { lease: leaseToProto(lease) }
  }

  async delete({ id, sync }: DeleteRequest, { namespace }: CallContext): Promise<Empty> {
    await this.#store.write((tx) => {
      deleteLease(tx, namespace, id)
    })
    if (sync) await this.#collectNow()
    return {}
  }

  list({ filters }: ListRequest, { namespace }: CallContext): Promise<ListResponse> {
    const accepts = parseFilters(filters)
    const leases = this.#store.read((tx) => listLeases(tx, namespace))
    const selected = leases.filter((lease) => accepts(leaseField(lease)))
    return Promise.resolve({ leases: selected.map(leaseToProto) })
  }

  async addResource(
    { id, resource }: AddResourceRequest,
    { namespace }: CallContext,
  ): Promise<Empty> {
    const parsed = parseLeaseResource(required(resource, 'resource'))
    await this.#store.write((tx) => {
      leaseResource(tx, { namespace, leaseId: requireId(id) }, parsed)
    })
    return {}
  }

  async deleteResource(
    { id, resource }: DeleteResourceRequest,
    { namespace }: CallContext,
  ): Promise<Empty> {
    const parsed = parseLeaseResource(required(resource, 'resource'))
    await this.#store.write((tx) => {
      requireLease(tx, namespace, id, 'change')
      releaseResource(tx, { namespace, leaseId: id }, parsed)
      tx.noteDeletion()
    })
    return {}
  }

  listResources(
    { id }: ListResourcesRequest,
    { namespace }: CallContext,
  ): Promise<ListResourcesResponse> {
    const resources = this.#store.read((tx) => {
      requireLease(tx, namespace, id, 'read')
      return listLeaseResources(tx, namespace, id)
    })
    return Promise.resolve({ resources: resources.map((resource) => ({ ...resource })) })
  }
}

function requireId(id: string): string {
  if (id === '') {
    throw new PlatformError('invalidArgument', {
      action: 'change lease',
      found: 'an empty id',
      wanted: 'the id of a lease',
    })
  }
  return id
}

function leaseField({ id, labels }: Lease): FieldLookup {
  return ([field, ...rest]) => {
    if (field === 'id') return presentString(id)
    return field === 'labels' ? lookupLabel(labels, rest) : undefined
  }
}

function leaseToProto({ id, createdAtNs, labels }: Lease): LeaseMessage {
  return { id, createdAt: timestampToProto(createdAtNs), labels: { ...labels } }
}
