import type { Millis } from '@engawa/shared/mux/events'

/** Who is silent for so long in the middle of a handshake gives its place to one that waits, ms: twice what any line needs for a round trip. */
const SILENT_MS = 500

/** A carrier on its way to being known. */
export interface Comer {
  /** As `addressKey` gives it. */
  readonly address: string
  /** It has a place: its handshake may begin. */
  begin(): void
  /** Its place is needed. */
  evict(): void
  /** Bytes that it has sent so far. */
  readonly received: () => number
}

interface Entry {
  readonly comer: Comer
  /** Undefined: it waits for a place. */
  begun: { received: number; at: Millis } | undefined
}

export interface PendingLimits {
  readonly pending: number
  readonly pendingPerAddress: number
  readonly waiting: number
  readonly waitingPerAddress: number
}

/**
 * Carriers whose handshake is under way, at most so many in all and from one address, and those that wait for a place.
 *
 * A new one is never refused, so that a neighbour behind the same carrier-grade NAT can't lock a good agent out: it
 * waits, and the silent make room. Nor does it put out one that goes forward: where 200 agents come back at once to an
 * edge that has just started, each handshake begun is one finished. The newest gets the next place, since who has
 * waited for long may have gone; that is also what leaves a flood of silent ones behind.
 */
export class Pending {
  readonly #limits: PendingLimits
  /** In the order of their coming. */
  readonly #entries = new Set<Entry>()
  readonly #begun = new Map<string, number>()
  readonly #waiting = new Map<string, number>()
  readonly #now: () => Millis
  #placesTaken = 0
  #open = false

  /** Until `open`, all wait. */
  constructor(limits: PendingLimits, now: () => Millis) {
    this.#limits = limits
    this.#now = now
  }

  get size(): number {
    return this.#entries.size
  }

  get #lineLength(): number {
    return this.#entries.size - this.#placesTaken
  }

  /** From now on there are places. */
  open(): void {
    this.#open = true
    this.#fill()
  }

  /** The answer gives the place back; calling it again does nothing. */
  add(comer: Comer): () => void {
    const entry: Entry = { comer, begun: undefined }
    this.#entries.add(entry)
    count(this.#waiting, comer.address, 1)
    this.#fill()
    const { waiting, waitingPerAddress } = this.#limits
    if ((this.#waiting.get(comer.address) ?? 0) > waitingPerAddress) this.#evictOldest(comer.address)
    else if (this.#lineLength > waiting) this.#evictOldest(fullest(this.#waiting))
    return () => this.#leave(entry)
  }

  /** To be called now and then, behind a look at the sockets: whoever is silent leaves its place where it is needed. */
  look(): void {
    const now = this.#now()
    for (const { comer, begun } of this.#entries) {
      if (begun === undefined || comer.received() === begun.received) continue
      begun.received = comer.received()
      begun.at = now
    }
    for (const entry of this.#entries) {
      if (this.#lineLength === 0) return
      if (entry.begun !== undefined && now - entry.begun.at >= SILENT_MS && this.#isInTheWay(entry)) this.#evict(entry)
    }
  }

  /** Puts out all, when the edge stops. */
  clear(): void {
    this.#open = false
    for (const entry of this.#entries) this.#evict(entry)
  }

  /** Whether one that waits could begin if this one left. */
  #isInTheWay({ comer: { address } }: Entry): boolean {
    return this.#placesTaken >= this.#limits.pending || (this.#waiting.get(address) ?? 0) > 0
  }

  #fill(): void {
    while (this.#open && this.#placesTaken < this.#limits.pending && this.#lineLength > 0) {
      const next = this.#next()
      if (next === undefined) return
      count(this.#waiting, next.comer.address, -1)
      count(this.#begun, next.comer.address, 1)
      this.#placesTaken++
      next.begun = { received: next.comer.received(), at: this.#now() }
      next.comer.begin()
    }
  }

  /** Of the address with the fewest places, the newest. */
  #next(): Entry | undefined {
    let best: Entry | undefined
    let least = this.#limits.pendingPerAddress
    for (const entry of this.#entries) {
      const places = this.#begun.get(entry.comer.address) ?? 0
      if (entry.begun !== undefined || places > least || places >= this.#limits.pendingPerAddress) continue
      best = entry
      least = places
    }
    return best
  }

  #evictOldest(address: string | undefined): void {
    for (const entry of this.#entries) {
      if (entry.begun === undefined && entry.comer.address === address) return this.#evict(entry)
    }
  }

  #evict(entry: Entry): void {
    this.#leave(entry)
    entry.comer.evict()
  }

  #leave(entry: Entry): void {
    if (!this.#entries.delete(entry)) return
    count(entry.begun === undefined ? this.#waiting : this.#begun, entry.comer.address, -1)
    if (entry.begun === undefined) return
    this.#placesTaken--
    this.#fill()
  }
}

function count(counts: Map<string, number>, address: string, delta: 1 | -1): void {
  const sum = (counts.get(address) ?? 0) + delta
  if (sum > 0) counts.set(address, sum)
  else counts.delete(address)
}

function fullest(counts: ReadonlyMap<string, number>): string | undefined {
  let best: string | undefined
  let most = 0
  for (const [address, sum] of counts) if (sum > most) [best, most] = [address, sum]
  return best
}
