interface Entry {
  readonly address: string
  readonly evict: () => void
}

/**
 * Carriers whose handshake is under way, at most so many in all and from one address.
 *
 * A new one is never refused: it puts out the oldest of its own address, so that a neighbour behind the same
 * carrier-grade NAT can't lock a good agent out; where its address has none, the oldest of the fullest address.
 */
export class Pending {
  readonly #limits: { readonly pending: number; readonly pendingPerAddress: number }
  readonly #entries = new Set<Entry>()
  readonly #perAddress = new Map<string, number>()

  constructor(limits: { readonly pending: number; readonly pendingPerAddress: number }) {
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  /** `evict` is called when the place is needed. The answer gives the place back; calling it again does nothing. */
  add(address: string, evict: () => void): () => void {
    const own = this.#perAddress.get(address) ?? 0
    const full = this.#entries.size >= this.#limits.pending
    if (own >= this.#limits.pendingPerAddress || (own > 0 && full)) this.#evictOldest(address)
    else if (full) this.#evictOldest(this.#fullest())
    const entry: Entry = { address, evict }
    this.#entries.add(entry)
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    return () => this.#remove(entry)
  }

  /** Puts out all, when the edge stops. */
  clear(): void {
    for (const entry of this.#entries) this.#evict(entry)
  }

  #evictOldest(address: string | undefined): void {
    for (const entry of this.#entries) {
      if (entry.address === address) return this.#evict(entry)
    }
  }

  #evict(entry: Entry): void {
    this.#remove(entry)
    entry.evict()
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return
    const left = (this.#perAddress.get(entry.address) ?? 1) - 1
    if (left > 0) this.#perAddress.set(entry.address, left)
    else this.#perAddress.delete(entry.address)
  }

  #fullest(): string | undefined {
    let best: string | undefined
    let most = 0
    for (const [address, count] of this.#perAddress) if (count > most) [best, most] = [address, count]
    return best
  }
}
