/** A listening socket as Node's own handle: nobody reads from it here. */
export interface Handle {
  close(): void
}

interface Held<User> {
  readonly handle: Handle
  readonly users: Set<User>
}

/**
 * Listening sockets by their use, and who listens on them now.
 *
 * One that nobody has closed stays when its user dies: visitors wait in the kernel's queue until the next generation
 * takes it.
 */
export class HeldSockets<User> {
  readonly #held = new Map<string, Held<User>>()

  get size(): number {
    return this.#held.size
  }

  has(key: string): boolean {
    return this.#held.has(key)
  }

  take(key: string, user: User): Handle | undefined {
    const held = this.#held.get(key)
    held?.users.add(user)
    return held?.handle
  }

  keep(key: string, user: User, handle: Handle): void {
    // Two generations that came upon the same free port: the later one is what the next shall find.
    this.#held.get(key)?.handle.close()
    this.#held.set(key, { handle, users: new Set([user]) })
  }

  /** Closed when nobody else listens there. */
  drop(key: string, user: User): void {
    const held = this.#held.get(key)
    if (held?.users.delete(user) === true && held.users.size === 0) this.#close(key, held)
  }

  /** The user has died or gone. */
  left(user: User): void {
    for (const { users } of this.#held.values()) users.delete(user)
  }

  /** Closes what the generation that serves now has not taken. */
  sweep(): void {
    for (const [key, held] of this.#held) if (held.users.size === 0) this.#close(key, held)
  }

  #close(key: string, { handle }: Held<User>): void {
    this.#held.delete(key)
    handle.close()
  }
}
