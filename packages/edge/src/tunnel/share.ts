/** Work that may come at once, ms: an agent that publishes all its tunnels on a slow disk is done within it. */
const BURST_MS = 500
/** Share of the edge's time that one session may take for its messages. */
const SHARE = 0.2
/** After so much work in one go everyone else gets a turn, ms. */
const SLICE_MS = 10

/**
 * How much of the edge's time one session's messages take.
 *
 * A bind may write to the disk and try thousands of ports; 200 of them a second would leave visitors nothing. So
 * a session pays for its work with waiting; the messages behind wait with it, and are few (promises.md, "200 messages/s").
 */
export class Share {
  #left = BURST_MS
  #at: number
  #slice = 0

  /** Monotonic milliseconds, as in `spent`. */
  constructor(now: number) {
    this.#at = now
  }

  /** Work went on from `since` to `now`. How long the next has to wait, ms; undefined: not at all, 0: a turn of the loop. */
  spent(since: number, now: number): number | undefined {
    const took = now - since
    this.#left = Math.min(BURST_MS, this.#left + (now - this.#at) * SHARE) - took
    this.#at = now
    this.#slice += took
    if (this.#left >= 0 && this.#slice < SLICE_MS) return undefined
    this.#slice = 0
    return Math.max(0, -this.#left / SHARE)
  }
}
