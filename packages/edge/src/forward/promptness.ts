import type { Live } from '../tunnel/tunnel.ts'

/** What was heard longer ago than once or twice this says nothing any more, ms. */
const AGE_MS = 10_000

/** How soon a service answers at best: its way there and back, and what it does. One answer that is quick says more than many that waited for something else. */
export class Promptness {
  #now = Number.POSITIVE_INFINITY
  #before = Number.POSITIVE_INFINITY
  #turnedAt = 0

  /** An answer began `ms` after its request; monotonic `now`. */
  heard(ms: number, now: number): void {
    if (now - this.#turnedAt > AGE_MS) {
      this.#before = now - this.#turnedAt > 2 * AGE_MS ? Number.POSITIVE_INFINITY : this.#now
      this.#now = ms
      this.#turnedAt = now
    } else if (ms < this.#now) this.#now = ms
  }

  /** Of late; undefined where nothing was heard. */
  get soonestMs(): number | undefined {
    const least = Math.min(this.#now, this.#before)
    return least === Number.POSITIVE_INFINITY ? undefined : least
  }
}

const known = new WeakMap<Live, Promptness>()

/** Of a service while its agent's session lasts. */
export function promptnessOf(live: Live): Promptness {
  let promptness = known.get(live)
  if (promptness === undefined) {
    promptness = new Promptness()
    known.set(live, promptness)
  }
  return promptness
}
