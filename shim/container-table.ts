/** The containers a shim serves. */
import { PlatformError } from '../proto/errors/platform-error.ts'
import type { Container } from './container.ts'

export class ContainerTable {
  readonly #containers = new Map<string, Container>()
  /** Ids of containers that are being created. */
  readonly #reserved = new Set<string>()

  /** Nothing is served and nothing is on its way. */
  get isEmpty(): boolean {
    return this.#containers.size === 0 && this.#reserved.size === 0
  }

  find(id: string): Container | undefined {
    return this.#containers.get(id)
  }

  /** @throws notFound */
  get(id: string): Container {
    const container = this.#containers.get(id)
    if (container !== undefined) return container
    // Clients look for these words.
    throw new PlatformError('notFound', {
      action: 'find container',
      subject: id,
      found: 'container not created',
    })
  }

  /**
   * Adds what `create` makes; the id is taken meanwhile.
   *
   * @throws alreadyExists
   */
  async add(id: string, create: () => Promise<Container>): Promise<Container> {
    if (this.#containers.has(id) || this.#reserved.has(id)) {
      throw new PlatformError('alreadyExists', { action: 'create container', subject: id })
    }
    this.#reserved.add(id)
    try {
      const container = await create()
      this.#containers.set(id, container)
      return container
    } finally {
      this.#reserved.delete(id)
    }
  }

  remove(id: string): void {
    this.#containers.delete(id)
  }
}
