import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventHub } from '../../events/event-hub.ts'
import { MetadataStore } from '../../metadata/store.ts'
import { ContentStore } from '../content-store.ts'

/** A content store on a directory of its own, which goes with it. */
export interface ContentFixture extends AsyncDisposable {
  readonly directory: string
  readonly events: EventHub
  readonly store: MetadataStore
  readonly content: ContentStore
  reopen(): Promise<void>
}

export async function openContentFixture(): Promise<ContentFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-content-'))
  const events = new EventHub()
  const open = async (): Promise<{ store: MetadataStore; content: ContentStore }> => {
    const store = await MetadataStore.open(directory)
    return { store, content: await ContentStore.open({ rootDir: directory, store, events }) }
  }
  let parts = await open()
  return {
    directory,
    events,
    get store() {
      return parts.store
    },
    get content() {
      return parts.content
    },
    async reopen() {
      await parts.content[Symbol.asyncDispose]()
      await parts.store[Symbol.asyncDispose]()
      parts = await open()
    },
    async [Symbol.asyncDispose]() {
      await parts.content[Symbol.asyncDispose]()
      await parts.store[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}
