/** Figures of promises.md: carriers that have not proved yet who they are. */
export const PENDING = 100
export const PENDING_PER_ADDRESS = 10
/** From the TCP connection to the end of the handshake, ms. protocol.md [H8] */
export const HANDSHAKE_MS = 10_000
/** What such a carrier may send, TLS included, bytes. */
export const HANDSHAKE_BYTES: number = 64 * 1024

interface Entry {
  readonly address: string
  readonly evict: () => void
}

/**
 * Carriers whose handshake is under way, at most 100 and 10 an address.
 *
 * A new one is never refused: it puts out the oldest of its own address, so that a neighbour behind the same
 * carrier-grade NAT can't lock a good agent out; where its address has none, the oldest of the fullest address.
 */
export class Pending {
  readonly #entries = new Set<Entry>()
  readonly #perAddress = new Map<string, number>()

  get size(): number {
    return this.#entries.size
  }

  /** `evict` is called when the place is needed. The answer gives the place back; calling it again does nothing. */
  add(address: string, evict: () => void): () => void {
    const own = this.#perAddress.get(address) ?? 0
    if (own >= PENDING_PER_ADDRESS || (own > 0 && this.#entries.size >= PENDING)) this.#evictOldest(address)
    else if (this.#entries.size >= PENDING) this.#evictOldest(this.#fullest())
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
