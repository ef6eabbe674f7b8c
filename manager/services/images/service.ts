import type { Empty } from '../../../proto/generated/google/protobuf/empty.ts'
import type {
  CreateImageRequest,
  CreateImageResponse,
  DeleteImageRequest,
  GetImageRequest,
  GetImageResponse,
  ImagesDefinition,
  ListImagesRequest,
  ListImagesResponse,
  UpdateImageRequest,
  UpdateImageResponse,
} from '../../../proto/generated/containerd/services/images/v1/images.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import type { ImageStore } from '../../metadata/image-store.ts'
import { timestampFromProto } from '../../metadata/timestamp.ts'
import { imageField, imageFromProto, imageToProto, imageUpdateFromProto } from './convert.ts'

export interface ImagesServiceOptions {
  readonly images: ImageStore
  /** Runs a whole collection. */
  readonly collectNow: () => Promise<unknown>
}

export class ImagesService implements ServiceHandlers<typeof ImagesDefinition> {
  readonly #images: ImageStore
  readonly #collectNow: () => Promise<unknown>

  constructor({ images, collectNow }: ImagesServiceOptions) {
    this.#images = images
    this.#collectNow = collectNow
  }

  get({ name }: GetImageRequest, { namespace }: CallContext): Promise<GetImageResponse> {
    return Promise.resolve({ image: imageToProto(this.#images.get(namespace, name)) })
  }

  list({ filters }: ListImagesRequest, { namespace }: CallContext): Promise<ListImagesResponse> {
    const accepts = parseFilters(filters)
    const selected = this.#images.list(namespace).filter((image) => accepts(imageField(image)))
    return Promise.resolve({ images: selected.map(imageToProto) })
  }

  async create(
    { image, sourceDateEpoch }: CreateImageRequest,
    context: CallContext,
  ): Promise<CreateImageResponse> {
    const createdAtNs =
      sourceDateEpoch === undefined ? undefined : timestampFromProto(sourceDateEpoch)
    const created = await this.#images.create(context, imageFromProto(image), createdAtNs)
    return { image: imageToProto(created) }
  }

  async update(
    { image, updateMask, sourceDateEpoch }: UpdateImageRequest,
    context: CallContext,
  ): Promise<UpdateImageResponse> {
    const wanted = imageUpdateFromProto(image)
    const updatedAtNs =
      sourceDateEpoch === undefined ? undefined : timestampFromProto(sourceDateEpoch)
    const updated = await this.#images.update(context, wanted, updateMask ?? [], updatedAtNs)
    return { image: imageToProto(updated) }
  }

  async delete({ name, sync, target }: DeleteImageRequest, context: CallContext): Promise<Empty> {
    await this.#images.delete(context, name, target?.digest)
    if (sync) await this.#collectNow()
    return {}
  }
}
