import type { Link } from '../tunnel/tunnel.ts'

export interface Pausable {
  /** No carrier, or one again. */
  paused(paused: boolean): void
}

/** Tells one listener at a time of the pauses of a link; kept for a visitor's connection, since its requests mostly go over one link. */
export class Pauses {
  #link: Link | undefined
  #end: (() => void) | undefined
  #listener: Pausable | undefined

  /** From now on `listener` is told of `link`, and nobody else of anything. */
  follow(link: Link, listener: Pausable): void {
    this.#listener = listener
    if (link === this.#link) return
    this.#end?.()
    this.#link = link
    this.#end = link.onPause((paused) => this.#listener?.paused(paused))
  }

  /** Nobody is told until the next `follow`. */
  rest(): void {
    this.#listener = undefined
  }

  dispose(): void {
    this.rest()
    this.#end?.()
    this.#end = undefined
    this.#link = undefined
  }
}
