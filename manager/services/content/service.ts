import type { Empty } from '../../../proto/generated/google/protobuf/empty.ts'
import type {
  AbortRequest,
  ContentDefinition,
  DeleteContentRequest,
  InfoRequest,
  InfoResponse,
  ListContentRequest,
  ListContentResponse,
  ListStatusesRequest,
  ListStatusesResponse,
  ReadContentRequest,
  ReadContentResponse,
  StatusRequest,
  StatusResponse,
  UpdateRequest,
  UpdateResponse,
  WriteContentRequest,
  WriteContentResponse,
} from '../../../proto/generated/containerd/services/content/v1/content.ts'
import type { ContentStore } from '../../content/content-store.ts'
import { parseDigest } from '../../content/digest.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import { required } from '../../grpc/required.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import { applyFieldMask, type FieldUpdate } from '../../metadata/field-mask.ts'
import { withLabel, type Labels } from '../../metadata/labels.ts'
import { infoField, infoToProto, statusField, statusToProto } from './convert.ts'
import { writeContent } from './write.ts'

const LIST_BLOCK = 100

const LABEL_FIELDS: Readonly<Record<string, FieldUpdate<Labels>>> = {
  labels: {
    whole: (_current, wanted) => wanted,
    part: (current, wanted, key) => withLabel(current, key, wanted[key] ?? ''),
  },
}

/** @see containerd-behaviour.md §b, §c */
export class ContentService implements ServiceHandlers<typeof ContentDefinition> {
  readonly #content: ContentStore

  constructor(content: ContentStore) {
    this.#content = content
  }

  info({ digest }: InfoRequest, { namespace }: CallContext): Promise<InfoResponse> {
    const info = this.#content.info(namespace, parseDigest(digest))
    return Promise.resolve({ info: infoToProto(info) })
  }

  async update(
    { info, updateMask }: UpdateRequest,
    { namespace }: CallContext,
  ): Promise<UpdateResponse> {
    const { digest, labels } = required(info, 'info')
    const updated = await this.#content.updateLabels(namespace, parseDigest(digest), (current) =>
      applyFieldMask(`content ${digest}`, LABEL_FIELDS, current, labels, updateMask ?? []),
    )
    return { info: infoToProto(updated) }
  }

  async *list(
    { filters }: ListContentRequest,
    { namespace }: CallContext,
  ): AsyncGenerator<ListContentResponse> {
    const accepts = parseFilters(filters)
    const selected = this.#content.list(namespace).filter((info) => accepts(infoField(info)))
    for (let start = 0; start < selected.length; start += LIST_BLOCK) {
      const block = selected.slice(start, start + LIST_BLOCK).map(infoToProto)
      yield await Promise.resolve({ info: block })
    }
  }

  async delete({ digest }: DeleteContentRequest, context: CallContext): Promise<Empty> {
    await this.#content.delete(context, parseDigest(digest))
    return {}
  }

  async *read(
    { digest, offset, size }: ReadContentRequest,
    { namespace }: CallContext,
  ): AsyncGenerator<ReadContentResponse> {
    const chunks = this.#content.read(namespace, parseDigest(digest), offset, size)
    for await (const { offsetBytes, data } of chunks) yield { offset: offsetBytes, data }
  }

  async status({ ref }: StatusRequest, { namespace }: CallContext): Promise<StatusResponse> {
    return { status: statusToProto(await this.#content.status(namespace, ref)) }
  }

  async listStatuses(
    { filters }: ListStatusesRequest,
    { namespace }: CallContext,
  ): Promise<ListStatusesResponse> {
    const accepts = parseFilters(filters)
    const statuses = await this.#content.listStatuses(namespace)
    return { statuses: statuses.filter((one) => accepts(statusField(one))).map(statusToProto) }
  }

  write(
    requests: AsyncIterable<WriteContentRequest>,
    context: CallContext,
  ): AsyncIterable<WriteContentResponse> {
    return writeContent(this.#content, requests, context)
  }

  async abort({ ref }: AbortRequest, context: CallContext): Promise<Empty> {
    await this.#content.abort(context, ref)
    return {}
  }
}
