import type { Millis } from '@engawa/shared/mux/events'

interface Level {
  tokens: number
  at: Millis
}

export interface Rates {
  readonly perSecond: number
  readonly burst: number
}

/**
 * Token buckets by key, in bounded memory.
 *
 * A bucket that has filled up again says the same as none, so the table drops those first. When all are in use, the one
 * that was touched longest ago goes: an attacker with that many addresses is not stopped by a limit per address anyway.
 */
export class TokenBuckets {
  readonly #levels = new Map<string, Level>()
  readonly #rates: Rates
  readonly #most: number

  /** `rates` are looked at each time: they may change. */
  constructor(rates: Rates & { readonly most?: number }) {
    this.#rates = rates
    this.#most = rates.most ?? 65_536
  }

  get size(): number {
    return this.#levels.size
  }

  /** Takes one token; false if there is none. */
  take(key: string, now: Millis): boolean {
    const { perSecond, burst } = this.#rates
    const level = this.#levels.get(key) ?? { tokens: burst, at: now }
    const tokens = Math.min(burst, level.tokens + (Math.max(0, now - level.at) * perSecond) / 1000)
    const granted = tokens >= 1
    // Set anew, so that the map's order is that of use.
    this.#levels.delete(key)
    if (this.#levels.size >= this.#most) this.#shrink(now)
    this.#levels.set(key, { tokens: granted ? tokens - 1 : tokens, at: now })
    return granted
  }

  #shrink(now: Millis): void {
    const { perSecond, burst } = this.#rates
    const fullAfter = (burst * 1000) / perSecond
    for (const [key, { at }] of this.#levels) {
      if (now - at < fullAfter && this.#levels.size < this.#most) return
      this.#levels.delete(key)
    }
  }
}
