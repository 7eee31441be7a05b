/** Wait before each new attempt while the loss is fresh, ms. promises.md: 250 ms ± 50 % for 60 s. */
const FIRST_MS = 250
/** How long a loss counts as fresh, ms: a restart of the edge or the router is over by then. */
const FRESH_MS = 60_000
/** The longest wait, ms. */
const MOST_MS = 30_000

/**
 * How long to wait before the next attempt: 250 ms ± 50 % for the first 60 s, then doubling to 30 s.
 * The spread keeps 200 agents from knocking in step when their edge is back.
 */
export class Backoff {
  readonly #random: () => number
  #since: number | undefined
  #base: number = FIRST_MS

  /** `random` gives 0 ≤ x < 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** Milliseconds to wait after a failure at `now` (monotonic ms). */
  next(now: number): number {
    this.#since ??= now
    if (now - this.#since < FRESH_MS) return FIRST_MS * (0.5 + this.#random())
    this.#base = Math.min(MOST_MS, this.#base * 2)
    return this.#base * (0.5 + this.#random() / 2)
  }

  /** The connection stood: the next loss begins anew. */
  reset(): void {
    this.#since = undefined
    this.#base = FIRST_MS
  }
}
