import { MAX_OPEN_SPAN } from '../wire/limits.ts'

/**
 * The stream ids that have been opened here: a low-water mark and what lies above it.
 *
 * Without it a lost ACK would run the same POST twice. Spec: protocol.md [S3], [S4].
 */
export class SeenIds {
  /** This id and all below have been seen. */
  #low = 0
  readonly #above = new Set<number>()

  has(id: number): boolean {
    return id <= this.#low || this.#above.has(id)
  }

  /** `far`: further ahead than a peer may go. */
  add(id: number): 'new' | 'repeat' | 'far' {
    if (this.has(id)) return 'repeat'
    if (id > this.#low + MAX_OPEN_SPAN) return 'far'
    this.#above.add(id)
    while (this.#above.delete(this.#low + 1)) this.#low++
    return 'new'
  }
}
