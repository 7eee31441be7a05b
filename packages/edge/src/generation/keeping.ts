import type { Server } from 'node:net'

/** Gives a listening socket to the front; resolves when it has come there. */
export type Give = (key: string, handle: unknown) => Promise<unknown>

/**
 * Listening sockets on their way to the front, one at a time.
 *
 * Node sends no second one before the first has arrived either, but at each arrival it goes through all that wait anew:
 * a thousand ports at once made half a million messages.
 */
export class Keeping {
  readonly #give: Give
  readonly #waiting = new Map<string, Server>()
  #giving = false

  constructor(give: Give) {
    this.#give = give
  }

  add(key: string, server: Server): void {
    this.#waiting.set(key, server)
    if (!this.#giving) void this.#work()
  }

  /** True: it had not been given, and will not be. */
  forget(key: string, server: Server): boolean {
    return this.#waiting.get(key) === server && this.#waiting.delete(key)
  }

  async #work(): Promise<void> {
    this.#giving = true
    for (const [key, server] of this.#waiting) {
      this.#waiting.delete(key)
      // oxlint-disable-next-line no-await-in-loop -- one at a time
      await this.#give(key, handleOf(server)).catch(() => {})
    }
    this.#giving = false
  }
}

/** Node's own handle below the server: sent by itself, it is shared and not accepted from on the other side. */
function handleOf(server: Server): unknown {
  return Reflect.get(server, '_handle')
}
