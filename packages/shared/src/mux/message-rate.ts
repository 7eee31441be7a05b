/** How many messages a second, and how many at once. protocol.md §8 */
export interface MessageLimit {
  readonly perSecond: number
  readonly burst: number
}

/** How many messages a session may send: a bucket that fills with time. protocol.md §8 */
export class MessageRate {
  readonly #perSecond: number
  readonly #burst: number
  #left: number
  #at: number

  /** `now`: monotonic milliseconds. */
  constructor({ perSecond, burst }: MessageLimit, now: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#left = burst
    this.#at = now
  }

  /** False: one too many. */
  take(now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.#perSecond)
    this.#at = now
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
