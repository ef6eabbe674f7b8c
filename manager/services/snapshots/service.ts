import { PlatformError } from '../../../proto/errors/platform-error.ts'
import type {
  CleanupRequest,
  CommitSnapshotRequest,
  ListSnapshotsRequest,
  ListSnapshotsResponse,
  MountsRequest,
  MountsResponse,
  PrepareSnapshotRequest,
  PrepareSnapshotResponse,
  RemoveSnapshotRequest,
  SnapshotsDefinition,
  StatSnapshotRequest,
  StatSnapshotResponse,
  UpdateSnapshotRequest,
  UpdateSnapshotResponse,
  UsageRequest,
  UsageResponse,
  ViewSnapshotRequest,
  ViewSnapshotResponse,
} from '../../../proto/generated/containerd/services/snapshots/v1/snapshots.ts'
import type { Empty } from '../../../proto/generated/google/protobuf/empty.ts'
import type { CallContext } from '../../grpc/call-context.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import type { Snapshotter } from '../../snapshots/snapshotter.ts'
import { snapshotInfoToProto } from './convert.ts'

/** Messages of the list stream carry at most this many. */
const LIST_BLOCK = 100

/** @see containerd-behaviour.md §e and the error table of §b */
export class SnapshotsService implements ServiceHandlers<typeof SnapshotsDefinition> {
  readonly #snapshotters: ReadonlyMap<string, Snapshotter>

  constructor(snapshotters: readonly Snapshotter[]) {
    this.#snapshotters = new Map(snapshotters.map((snapshotter) => [snapshotter.name, snapshotter]))
  }

  async prepare(
    request: PrepareSnapshotRequest,
    context: CallContext,
  ): Promise<PrepareSnapshotResponse> {
    return { mounts: await this.#named(request.snapshotter).prepare(context, request) }
  }

  async view(request: ViewSnapshotRequest, context: CallContext): Promise<ViewSnapshotResponse> {
    return { mounts: await this.#named(request.snapshotter).view(context, request) }
  }

  mounts({ snapshotter, key }: MountsRequest, { namespace }: CallContext): Promise<MountsResponse> {
    const mounts = this.#named(snapshotter).mounts(namespace, key)
    return Promise.resolve({ mounts })
  }

  async commit(request: CommitSnapshotRequest, context: CallContext): Promise<Empty> {
    await this.#named(request.snapshotter).commit(context, request)
    return {}
  }

  async remove(
    { snapshotter, key }: RemoveSnapshotRequest,
    { namespace }: CallContext,
  ): Promise<Empty> {
    await this.#named(snapshotter).remove(namespace, key)
    return {}
  }

  stat(
    { snapshotter, key }: StatSnapshotRequest,
    { namespace }: CallContext,
  ): Promise<StatSnapshotResponse> {
    const info = this.#named(snapshotter).stat(namespace, key)
    return Promise.resolve({ info: snapshotInfoToProto(info) })
  }

  async update(
    { snapshotter, info, updateMask }: UpdateSnapshotRequest,
    { namespace }: CallContext,
  ): Promise<UpdateSnapshotResponse> {
    const updated = await this.#named(snapshotter).update(
      namespace,
      info?.name ?? '',
      { labels: info?.labels ?? {} },
      updateMask ?? [],
    )
    return { info: snapshotInfoToProto(updated) }
  }

  async *list(
    { snapshotter, filters }: ListSnapshotsRequest,
    { namespace }: CallContext,
  ): AsyncGenerator<ListSnapshotsResponse> {
    const all = this.#named(snapshotter).list(namespace, filters).map(snapshotInfoToProto)
    for (let start = 0; start < all.length; start += LIST_BLOCK) {
      yield { info: all.slice(start, start + LIST_BLOCK) }
    }
  }

  async usage(
    { snapshotter, key }: UsageRequest,
    { namespace }: CallContext,
  ): Promise<UsageResponse> {
    const { sizeBytes, inodes } = await this.#named(snapshotter).usage(namespace, key)
    return { size: sizeBytes, inodes }
  }

  async cleanup({ snapshotter }: CleanupRequest): Promise<Empty> {
    await this.#named(snapshotter).cleanup()
    return {}
  }

  #named(name: string): Snapshotter {
    const snapshotter = this.#snapshotters.get(name)
    if (snapshotter === undefined) {
      throw new PlatformError('invalidArgument', {
        action: 'find snapshotter',
        found: name === '' ? 'no name' : JSON.stringify(name),
        wanted: `one of ${[...this.#snapshotters.keys()].join(', ')}`,
      })
    }
    return snapshotter
  }
}
