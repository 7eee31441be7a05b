/** Failures of one address that are answered in full before it is told to wait. */
const BURST = 10
/** A new one is granted this often, ms. */
const REFILL_MS = 6000
/** Addresses remembered; past it the one seen longest ago is forgotten. */
const MOST = 10_000

/**
 * Counts guesses by address.
 *
 * It never stands before an attempt, only behind a failed one: a valid agent behind the same
 * carrier-grade NAT as a guesser gets in whatever that one does. promises.md, "guessers"
 */
export class Failures {
  readonly #buckets = new Map<string, { left: number; at: number }>()

  /** Counts a failure of `address` (IPv6: its /64) at `now`, monotonic ms. False once it has had too many. */
  note(address: string, now: number): boolean {
    const { left, at } = this.#buckets.get(address) ?? { left: BURST, at: now }
    const filled = Math.min(BURST, left + (now - at) / REFILL_MS)
    // Set anew, so that the map's order is that of the last failure.
    this.#buckets.delete(address)
    if (this.#buckets.size >= MOST) this.#buckets.delete(this.#buckets.keys().next().value ?? '')
    this.#buckets.set(address, { left: Math.max(0, filled - 1), at: now })
    return filled >= 1
  }
}
