import { addressKey } from '@engawa/shared/address-key'
import type { Millis } from '@engawa/shared/mux/events'
import { TokenBuckets } from './bucket.ts'
import { newcomers, type VisitorLimits } from './limits.ts'

/** One visitor's flow inside. */
export interface FlowPass {
  /** The visitor has spoken again after an answer: it is no forged source, and its flow is not given up for another. */
  assure(): void
  leave(): void
}

interface Inside {
  readonly key: string
  readonly evict: () => void
}

interface OfAddress {
  count: number
  /** The oldest first. */
  readonly unassured: Set<Inside>
}

/**
 * Counts UDP flows in all and by address.
 *
 * Anyone can forge the source of a datagram, so a flood of single ones must not lock real visitors out: where there is
 * no room, the oldest flow goes whose visitor has not been heard again after an answer (as Linux's conntrack does).
 * It also serves resolvers, which ask each question from another port.
 */
export class FlowDoor {
  readonly #limits: VisitorLimits['udp']
  readonly #buckets: TokenBuckets
  readonly #now: () => Millis
  readonly #inside = new Map<string, OfAddress>()
  readonly #unassured = new Set<Inside>()
  #total = 0

  constructor(limits: Pick<VisitorLimits, 'udp' | 'perAddress'>, now: () => Millis = () => performance.now()) {
    this.#limits = limits.udp
    this.#now = now
    this.#buckets = new TokenBuckets(newcomers(limits))
  }

  get total(): number {
    return this.#total
  }

  /** Undefined: no room for this one. `evict` ends the flow; it calls `leave` before it returns. */
  enter(address: string, evict: () => void): FlowPass | undefined {
    const key = addressKey(address)
    if (!this.#buckets.take(key, this.#now())) return undefined
    const { flows, flowsPerAddress } = this.#limits
    const others = this.#inside.get(key)
    if (others !== undefined && others.count >= flowsPerAddress && !makeRoom(others.unassured)) return undefined
    if (this.#total >= flows && !makeRoom(this.#unassured)) return undefined
    const of = this.#inside.get(key) ?? { count: 0, unassured: new Set() }
    this.#inside.set(key, of)
    const inside: Inside = { key, evict }
    const assure = (): void => {
      of.unassured.delete(inside)
      this.#unassured.delete(inside)
    }
    of.count++
    of.unassured.add(inside)
    this.#unassured.add(inside)
    this.#total++
    let left = false
    return {
      assure,
      leave: () => {
        if (left) return
        left = true
        assure()
        this.#total--
        if (--of.count === 0) this.#inside.delete(key)
      },
    }
  }
}

function makeRoom(unassured: ReadonlySet<Inside>): boolean {
  const [oldest] = unassured
  oldest?.evict()
  return oldest !== undefined
}
