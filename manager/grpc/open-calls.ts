import { PlatformError } from '../../proto/errors/platform-error.ts'

/** The calls that are being answered, so that a server that stops can end what would not end by itself. */
export class OpenCalls {
  readonly #open = new Map<AbortController, Promise<void>>()

  /** @param answered never rejects */
  add(controller: AbortController, answered: Promise<void>): void {
    const forgotten = answered.finally(() => this.#open.delete(controller))
    this.#open.set(controller, forgotten)
  }

  /** Tells every call that the server stops: subscriptions, waits and transfers end; short work does not listen and completes. */
  endAll(): void {
    const reason = new PlatformError('unavailable', {
      action: 'answer call',
      found: 'the manager is stopping',
    })
    for (const controller of this.#open.keys()) controller.abort(reason)
  }

  /** Resolves when the calls that are open now have been answered. */
  async answered(): Promise<void> {
    await Promise.all(this.#open.values())
  }
}
